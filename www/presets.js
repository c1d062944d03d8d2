// Known scenarios: what to set, and why.
import { get, may } from "./api.js";
import { ChangeDialog, setSender } from "./change.js";
import { presets } from "./hints.js";
import { tables } from "./live.js";
import { valueAt, withValue } from "./schema.js";
import { useStore } from "./store.js";
import { html, useState } from "./vendor/preact.js";

// Where a preset's value stands in the object.
const pointerOf = (kind, key) => kind === "registrations" ? `/${key}` : `/sip/${key}`;

const fits = (kind, preset, draft) => Object.entries(preset.values).every(([key, value]) => valueAt(draft, pointerOf(kind, key)) === value || (kind !== "registrations" && key === "callee"));

// A registration's preset fills the form; a gateway's also sets what mapping gateways read, so it is a change of its own.
export function PresetChooser({ kind, name, draft, setDraft, mayWrite }) {
	const known = useStore(presets), items = (known?.items || []).filter(one => one.kind === kind);
	const [chosen, choose] = useState(null), [mapping, setMapping] = useState([]), [change, setChange] = useState(null);
	if (!items.length || !mayWrite)
		return null;
	const current = items.find(one => fits(kind, one, draft));
	const pick = preset => {
		choose(preset);
		if (kind === "registrations" || !name)
			setDraft(old => Object.entries(preset.values).filter(([key]) => kind === "registrations" || key !== "callee").reduce((object, [key, value]) => withValue(object, pointerOf(kind, key), value), old));
	};
	const look = async () => {
		const { items: filled } = await get("/presets", { routing_gateway: name, mapping_gateway: mapping.join(",") });
		setChange(filled.find(one => one.id === chosen.id).changes);
	};
	const shown = chosen || current, mappings = [...tables["mapping-gateways"].value.rows.keys()];
	return html`<fieldset class="presets"><legend>Scenario</legend><div class="cards">${items.map(one => html`<button key=${one.id} type="button" class="card" aria-pressed=${shown === one} onClick=${() => pick(one)}>
			<b>${one.title}</b><small>${one.why}</small><span class="values">${Object.entries(one.values).map(([key, value]) => html`<span key=${key}>${key.replaceAll("_", " ")} <b>${String(value)}</b></span>`)}</span></button>`)}</div>
		${kind !== "registrations" && name && chosen && html`<div class="apply"><label>Mapping gateways whose callee it sets too<select multiple size=${Math.min(4, Math.max(2, mappings.length))} onChange=${event => setMapping([...event.target.selectedOptions].map(one => one.value))}>
			${mappings.map(one => html`<option key=${one} value=${one}>${one}</option>`)}</select></label><button type="button" onClick=${look}>Look at the change …</button></div>`}
		${change && html`<${ChangeDialog} title=${chosen.title} send=${setSender(change)} onClose=${() => setChange(null)} onDone=${() => setChange(null)} />`}</fieldset>`;
}
