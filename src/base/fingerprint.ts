/**
 * 16 hexadecimal digits that distinguish two versions of a text (two 32-bit FNV-1a hashes with different
 * seeds). Not for security: an attacker can construct two texts with the same fingerprint.
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
