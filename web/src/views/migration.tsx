/** The view `Migration`. */
export const MigrationView = () => (
  <section>
    <h1>Migration</h1>
    <p>
      The command <code>pnl-bridge status</code> shows phase, gates, traffic and fleet.
    </p>
  </section>
);
