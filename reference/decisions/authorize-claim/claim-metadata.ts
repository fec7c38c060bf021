/**
 * Annotations of a claim that its author never writes: the stamp, which only admission writes, and those
 * that steer hydrate and dehydrate, which only the controller writes.
 */
import { stampAnnotation, steeringAnnotationPrefix } from '#reference/contract/admission.ts';
import { canonicalText, fieldOf, type JsonObject, objectOf } from '../json-values.ts';
import type { ClaimWrite } from './admission-request.ts';
import { Refusal } from './refusal.ts';

/**
 * Why the annotations may not become what they are in the new object; null when they may.
 * A stamp that somebody brings is denied, not overwritten in silence: the form of the check that cannot
 * change objects (a ValidatingAdmissionPolicy) decides alike, and the attempt is seen. So is a stamp that
 * is taken away: it is admission's, and a claim without it fails later, far from the cause.
 */
export function whyNotAnnotations(write: ClaimWrite, maySteer: boolean): Refusal | null {
  const before = annotationsOf(write.oldObject);
  const after = annotationsOf(write.object);
  if (!isSame(before, after, stampAnnotation)) {
    return new Refusal(
      403,
      'stamp: written by admission alone',
      `metadata.annotations[${stampAnnotation}]: admission writes it; leave it as it is, and leave it out of new claims`,
    );
  }
  if (maySteer) return null;
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (!key.startsWith(steeringAnnotationPrefix) || isSame(before, after, key)) continue;
    return new Refusal(
      403,
      'steering annotation: written by the controller alone, and together with no spec',
      `metadata.annotations: those that begin with ${steeringAnnotationPrefix} are the controller's; leave them as they are`,
    );
  }
  return null;
}

function annotationsOf(object: JsonObject | null): JsonObject {
  return objectOf(fieldOf(fieldOf(object, 'metadata'), 'annotations'));
}

/** One that is absent is as one that is null: no API server stores a null annotation. */
function isSame(before: JsonObject, after: JsonObject, key: string): boolean {
  const text = canonicalText(fieldOf(after, key));
  return text !== null && text === canonicalText(fieldOf(before, key));
}
