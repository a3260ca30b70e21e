export { HttpSystem } from "./http-system.ts";
export type { HttpSystemOptions } from "./options.ts";
export { WebhookAlerts } from "./webhook-alerts.ts";
