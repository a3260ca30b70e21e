/** The file of the working folder that a command reads if its option `--config` is not given. */
export const usualFile = "pnl_migration_config.yaml";
