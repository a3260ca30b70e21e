/** A badge of the system that made figures. The two systems differ in its shape as well as in its word. */
export const Source = ({
  source,
  fellBack,
}: {
  readonly source: "legacy" | "modern";
  readonly fellBack?: string | undefined;
}) => (
  <span
    className={`badge ${source}`}
    title={fellBack === undefined ? undefined : `modern should have answered: ${fellBack}`}
  >
    {source.toUpperCase()}
    {fellBack !== undefined && " (fallback)"}
  </span>
);

/** A name and its value in a line of facts. */
export const Fact = ({ name, children }: { readonly name: string; readonly children: React.ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);
