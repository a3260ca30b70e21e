/**
 * A badge of the system that made figures. Legacy's has a frame and modern's is filled, so that they differ
 * without colour.
 */
export const Source = ({
  source,
  fellBack,
}: {
  readonly source: "legacy" | "modern";
  readonly fellBack?: string | undefined;
}) => (
  <span
    className={`badge ${source}`}
    title={fellBack === undefined ? undefined : `legacy answered because modern failed: ${fellBack}`}
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
