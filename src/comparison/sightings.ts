/** What a sampler keeps of one place and verdict: how often it was found, and from which count on it is told of. */
export class Sightings {
  count = 0;
  /** For the sampler to set. */
  tellAt = 1;
}
