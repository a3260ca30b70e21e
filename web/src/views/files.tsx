/** The view `Files and data`. */
export const FilesView = () => (
  <section>
    <h1>Files and data</h1>
    <p>
      The command <code>pnl-bridge watch status</code> shows watched files and both databases.
    </p>
  </section>
);
