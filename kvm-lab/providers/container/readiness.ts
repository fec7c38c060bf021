/** Whether the lab in containers can be had here: tried, not guessed, and without loading what runs it. */
import { netnsUnsupported, tapsUnsupported } from '../netns/netns.ts';
import type { Unsupported } from '../unsupported.ts';
import { engineUnsupported } from './docker-engine.ts';
import { huskImage, imageUnsupported } from './husk-image.ts';

/** A container with a tap and a table in it, of the lab's own image unless another is named. */
export function containerUnsupported(image: string = huskImage()): Unsupported | null {
  if (process.getuid?.() !== 0) {
    const reason = 'not root: the harness enters the container’s network and takes the tap from its process';
    return { reason, remedy: 'run as root, or use --provider netns' };
  }
  return netnsUnsupported() ?? tapsUnsupported() ?? engineUnsupported() ?? imageUnsupported(image);
}
