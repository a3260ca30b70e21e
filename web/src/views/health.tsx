/** The view `Health`. */
export const HealthView = () => (
  <section>
    <h1>Health</h1>
    <p>
      The command <code>curl -s http://127.0.0.1:8080/metrics</code> shows latencies, errors and memory.
    </p>
  </section>
);
