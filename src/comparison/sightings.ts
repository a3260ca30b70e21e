/**
 * Counts how often one path of the answers had one verdict. `reportAt` is the count at which a sampler wants
 * the next report.
 */
export class Sightings {
  count = 0;
  /** Set by the sampler. */
  reportAt = 1;
}
