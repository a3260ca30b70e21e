/** The view `Differences`. */
export const DifferencesView = () => (
  <section>
    <h1>Differences</h1>
    <p>
      The command <code>pnl-bridge comparisons</code> shows the stored comparisons.
    </p>
  </section>
);
