/** The process that builds one report. */
import { answerOnce } from "../apart.ts";
import { type DailyOptions, type DailyResult, writeDailyReport } from "./commands.ts";

answerOnce<DailyOptions, DailyResult>(writeDailyReport);
