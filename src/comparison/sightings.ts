/**
 * The number of times that one place had one verdict, and the number at which a sampler wants the next
 * report.
 */
export class Sightings {
  count = 0;
  /** Set by the sampler. */
  reportAt = 1;
}
