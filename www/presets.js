// Known scenarios: what to set, and why.
import { get } from "./api.js";
import { ChangeDialog, setSender } from "./change.js";
import { Fault } from "./dialog.js";
import { Saved } from "./savebar.js";
import { presets } from "./hints.js";
import { tables } from "./live.js";
import { link } from "./route.js";
import { valueAt, withValue } from "./schema.js";
import { useStore } from "./store.js";
import { html, useState } from "./vendor/preact.js";
import { written } from "./words.js";

const SHOWN = 24;	// mapping gateways to tick

// Where a preset's value stands in the object.
const pointerOf = (kind, key) => kind === "registrations" ? `/${key}` : `/sip/${key}`;

const fits = (kind, preset, draft) => Object.entries(preset.values).every(([key, value]) => valueAt(draft, pointerOf(kind, key)) === value || (kind !== "registrations" && key === "callee"));

// Names to tick: those chosen, and of the others as many as can be looked over.
function MappingChoice({ names, chosen, choose, callee }) {
	const [wanted, want] = useState(""), found = names.filter(name => chosen.includes(name) || name.toLowerCase().includes(wanted.toLowerCase()));
	const shown = found.filter((name, i) => i < SHOWN || chosen.includes(name));
	const tick = (name, on) => choose(on ? [...chosen, name] : chosen.filter(other => other !== name));
	return html`<fieldset class="mappings"><legend>Mapping gateways that shall read the callee from ${written[callee]} for it</legend>
		${names.length > SHOWN && html`<input type="search" aria-label="Filter mapping gateways" placeholder="Filter" value=${wanted} onInput=${event => want(event.target.value)} />`}
		<div>${shown.map(name => html`<label key=${name}><input type="checkbox" checked=${chosen.includes(name)} onChange=${event => tick(name, event.target.checked)} /> ${name}</label>`)}
			${found.length > shown.length && html`<span class="faint">… and ${(found.length - shown.length).toLocaleString()} more</span>`}</div></fieldset>`;
}

// A registration's preset fills the form; a gateway's also sets what mapping gateways read, so it is a change of its own.
export function PresetChooser({ kind, name, draft, setDraft, mayWrite }) {
	const known = useStore(presets), items = (known?.items || []).filter(one => one.kind === kind);
	const [chosen, choose] = useState(null), [mapping, setMapping] = useState([]), [change, setChange] = useState(null), [done, setDone] = useState(null), [failed, setFailed] = useState(null);
	if (!items.length || !mayWrite)
		return null;
	const current = items.find(one => fits(kind, one, draft));
	const pick = preset => {
		choose(preset);
		setDone(null);
		if (kind === "registrations" || !name)
			setDraft(old => Object.entries(preset.values).filter(([key]) => kind === "registrations" || key !== "callee").reduce((object, [key, value]) => withValue(object, pointerOf(kind, key), value), old));
	};
	const look = async () => {
		setFailed(null);
		try {
			const { items: filled } = await get("/presets", { routing_gateway: name, mapping_gateway: mapping.join(",") });
			setChange(filled.find(one => one.id === chosen.id).changes);
		} catch (error) {
			setFailed(error);
		}
	};
	const shown = chosen || current, mappings = [...tables["mapping-gateways"].value.rows.keys()];
	return html`<details class="presets" open=${!name}><summary><b>Scenario</b> ${shown ? shown.title : "values of its own"}</summary><div class="cards">${items.map(one => html`<button key=${one.id} type="button" class="card" aria-pressed=${shown === one} onClick=${() => pick(one)}>
			<b>${one.title}</b><small>${one.why}</small><span class="values">${Object.entries(one.values).map(([key, value]) => html`<span key=${key}>${key.replaceAll("_", " ")} <b>${String(value)}</b></span>`)}</span></button>`)}</div>
		${kind !== "registrations" && name && chosen && html`<div class="apply">${mappings.length > 0 && html`<${MappingChoice} names=${mappings} chosen=${mapping} choose=${setMapping} callee=${chosen.values.callee} />`}<button type="button" onClick=${look}>Look at the change …</button></div>`}
		<${Fault} error=${failed} />${change && html`<${ChangeDialog} title=${chosen.title} send=${setSender(change)} onClose=${() => setChange(null)} onDone=${answer => { setChange(null); setDone(answer); }} />`}
		${done && html`<${Saved} answer=${done} after=${html` <a href=${link([kind, name], { show: "verify" })}>Verify with the next real call</a>`} />`}</details>`;
}
