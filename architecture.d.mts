export declare const layers: Readonly<
  Record<
    string,
    {
      readonly holds: string;
      readonly imports: readonly string[];
      readonly strangers?: boolean;
      readonly common?: string;
      readonly typesOnly?: boolean;
    }
  >
>;
export declare const pure: readonly string[];
