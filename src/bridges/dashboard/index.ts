export { controllerReads, controllerScreen } from "./controller-screen.ts";
export {
  type DashboardAnswer,
  DashboardDataBridge,
  type ScreenSource,
} from "./dashboard-bridge.ts";
export { serviceScreen } from "./service-screen.ts";
