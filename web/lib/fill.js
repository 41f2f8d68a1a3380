// Sentences with places in them: "{name} is signed out everywhere." Pure.

/**
 * The pieces of a sentence, for html``: what stands for a {place} may be a component.
 * @param {string} text
 * @param {Record<string, any>} values
 * @returns {any[]}
 */
export function fill(text, values) {
  return text.split(/\{(\w+)\}/).map((part, i) => (i % 2 ? values[part] : part));
}
