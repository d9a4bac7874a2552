// Fills a template: `{{name}}` with a value, `{{#items}}...{{/items}}` once for each of a list. What is filled in is escaped
// for HTML, always: it was written by strangers, and a template cannot say otherwise.
import { read } from "ringmail:plugin/files@0.1.0";

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(value) {
  return String(value ?? "").replace(/[&<>"']/g, (c) => ESCAPES[c]);
}

// In one pass, so that what was filled in is not read as a template again.
function fill(template, data) {
  const marks = /\{\{#(\w+)\}\}([^]*?)\{\{\/\1\}\}|\{\{(\w+)\}\}/g;
  const own = (name) => (Object.hasOwn(data, name) ? data[name] : undefined);
  return template.replace(marks, (_, list, inner, name) => {
    if (name !== undefined) {
      return escaped(own(name));
    }
    const items = own(list);
    return Array.isArray(items) ? items.map((item) => fill(inner, item)).join("") : "";
  });
}

// There is no TextDecoder.
function utf8(bytes) {
  return decodeURIComponent(Array.from(bytes, (byte) => "%" + byte.toString(16).padStart(2, "0")).join(""));
}

export function call(input) {
  const { template, data } = JSON.parse(input);
  if (!/^\w+$/.test(template)) {
    throw "a template has a name of letters";
  }
  return JSON.stringify(fill(utf8(read(`templates:${template}.html`)), data));
}
