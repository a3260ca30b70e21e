/** How often one place had one verdict, and the count from which on a sampler wants a report of it. */
export class Sightings {
  count = 0;
  /** Set by the sampler. */
  reportAt = 1;
}
