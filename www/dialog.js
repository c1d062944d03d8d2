// A modal dialog: the browser's own, so that focus stays in it and Escape closes it.
import { html, useEffect, useRef } from "./vendor/preact.js";

let numbers = 0;

export function Dialog({ title, onClose, children, wide }) {
	const box = useRef(null), id = useRef(null);
	id.current ??= `dialog-${++numbers}`;
	useEffect(() => {
		const before = document.activeElement, dialog = box.current;
		dialog.showModal();
		(dialog.querySelector("input:not([hidden]), select, textarea") || dialog.firstElementChild).focus();	// else the browser begins at the cross, and Enter gives up
		return () => { dialog.close(); before?.focus?.(); };
	}, []);
	const cancel = event => { event.preventDefault(); onClose?.(); };
	return html`<dialog ref=${box} class=${wide ? "wide" : null} aria-labelledby=${id.current} onCancel=${cancel}><article tabindex="-1">
		<header><h2 id=${id.current}>${title}</h2>${onClose && html`<button type="button" class="plain close" aria-label="Close" onClick=${onClose}>×</button>`}</header>
		${children}
	</article></dialog>`;
}

// What went wrong, with the server's own words.
export function Fault({ error }) {
	if (!error)
		return null;
	return html`<div class="fault" role="alert"><p>${error.message}</p>
		${error.errors?.length > 0 && html`<ul>${error.errors.map(one => html`<li><code>${one.pointer}</code> ${one.detail}</li>`)}</ul>`}</div>`;
}
