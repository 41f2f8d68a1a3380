// A file chosen by the person, as text.
import { html, useRef } from "../../lib/ui.js";

/** Windows' tools often write UTF-16. @param {File} file */
export async function readText(file) {
  const raw = new Uint8Array(await file.arrayBuffer());
  const kind = raw[0] === 0xff && raw[1] === 0xfe ? "utf-16le" : raw[0] === 0xfe && raw[1] === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(kind).decode(raw);
}

/** @param {{ label: string, accept?: string, primary?: boolean, onFile: (file: File) => void }} props */
export function FileButton({ label, accept, primary = false, onFile }) {
  const box = useRef(/** @type {HTMLInputElement | null} */ (null));
  return html`<button class=${"button" + (primary ? " button-primary" : "")} type="button" onClick=${() => box.current?.click()}>${label}</button>
    <input ref=${box} type="file" accept=${accept} hidden aria-hidden="true" tabindex="-1" onChange=${(/** @type {any} */ e) => {
      const file = e.target.files[0];
      e.target.value = "";
      if (file) onFile(file);
    }} />`;
}
