/**
 * 16 hexadecimal digits by which two versions of a text are told apart (two 32-bit FNV-1a sums with different seeds). Not for
 * security: whoever wants to can make two texts of one fingerprint.
 */
export function fingerprint(text: string): string {
  let [low, high] = [0x811c9dc5, 0x9747b28c];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ (unit + at), 0x01000193);
  }
  return hex(high) + hex(low);
}

const hex = (sum: number): string => (sum >>> 0).toString(16).padStart(8, "0");
