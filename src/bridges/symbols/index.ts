export {
  type QuarantinedSymbol,
  type SymbolBridgeOptions,
  type SymbolCounters,
  SymbolTranslationBridge,
  type Translated,
  type Translation,
  type Untranslated,
  type Variants,
} from "./translation-bridge.ts";
