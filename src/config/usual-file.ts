/** The configuration file that every command takes where none is named and this one stands in the working folder. */
export const usualFile = "pnl_migration_config.yaml";
