/**
 * The configuration file that a command with `--config` uses if none is named and this one exists in the
 * working folder.
 */
export const usualFile = "pnl_migration_config.yaml";
