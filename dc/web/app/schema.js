// JSON Schemas of task types, step by step, as a form needs them.
//
// A schema is looked at one step deep: what it asks for is a shape, whose parts are schemas again.
// So a type that contains itself makes no endless form. What no shape suits is `json`: typed as text.

const STEPS = 20; // of $ref and of nested choices; beyond that a schema goes in a circle

// Return the shape of a schema: `kind`, and what belongs to that kind.
//
// | kind    | what else                                                           |
// |---------|---------------------------------------------------------------------|
// | object  | `fields`: of `{name, schema, required}`                              |
// | map     | `values`: a schema                                                   |
// | list    | `items`: a schema; `least`, `most`                                   |
// | tuple   | `parts`: schemas                                                     |
// | text    | `least`, `most` characters, `pattern`                                |
// | bytes   | none; base64 within JSON                                             |
// | file    | none; the payload is bytes as they are                               |
// | number  | `whole`, `min`, `max`, `above`, `below`, `step`                       |
// | flag    | none                                                                 |
// | choice  | `values`                                                             |
// | maybe   | `of`: a schema; or null                                              |
// | union   | `choices`: schemas                                                   |
// | measure | `measure`: a size, a span of time, a moment; typed as people do      |
// | json    | `type`: the JSON type that it must have, if any                      |
//
// Each has `title` and `doc`, and `fallback` if the schema has a default.
export function shapeOf(schema, root) {
  const one = resolved(schema, root);
  const about = { title: one.title ?? "", doc: one.description ?? "" };
  if ("default" in one) about.fallback = one.default;
  return { ...about, ...kindOf(one, root) };
}

function kindOf(one, root) {
  if (one.measure) return { kind: "measure", measure: one.measure };
  if (one.contentMediaType) return { kind: "file" };
  if ("const" in one) return { kind: "choice", values: [one.const] };
  if (Array.isArray(one.enum)) return { kind: "choice", values: one.enum };
  if (one.anyOf || one.oneOf) return unionOf(choicesOf(one, root));
  if (Array.isArray(one.type)) return unionOf(one.type.map((type) => ({ ...one, type })));
  const make = KINDS[one.type];
  return make ? make(one) : { kind: "json", type: "" };
}

const KINDS = {
  object(one) {
    if (one.properties) return { kind: "object", fields: fieldsOf(one) };
    if (one.additionalProperties && typeof one.additionalProperties === "object") {
      return { kind: "map", values: one.additionalProperties };
    }
    return { kind: "json", type: "object" };
  },
  array(one) {
    if (one.prefixItems) return { kind: "tuple", parts: one.prefixItems };
    return { kind: "list", items: one.items || {}, least: one.minItems ?? 0, most: one.maxItems ?? Infinity };
  },
  string(one) {
    if (one.contentEncoding === "base64") return { kind: "bytes" };
    const { minLength: least = 0, maxLength: most = Infinity, pattern = "", format = "" } = one;
    return { kind: "text", least, most, pattern, format };
  },
  integer: (one) => numberOf(one, true),
  number: (one) => numberOf(one, false),
  boolean: () => ({ kind: "flag" }),
  null: () => ({ kind: "choice", values: [null] }),
};

function numberOf(one, whole) {
  return {
    kind: "number",
    whole,
    min: one.minimum,
    max: one.maximum,
    above: one.exclusiveMinimum,
    below: one.exclusiveMaximum,
    step: one.multipleOf,
  };
}

function fieldsOf(one) {
  const required = new Set(one.required ?? []);
  return Object.entries(one.properties).map(([name, schema]) => ({ name, schema, required: required.has(name) }));
}

function unionOf(choices) {
  const rest = choices.filter((choice) => choice.type !== "null");
  const of = rest.length === 1 ? rest[0] : { anyOf: rest };
  if (rest.length < choices.length) return rest.length ? { kind: "maybe", of } : KINDS.null();
  return rest.length === 1 ? kindOf(rest[0], {}) : { kind: "union", choices: rest };
}

// Return the choices of `anyOf`, those within choices among them.
function choicesOf(one, root, steps = STEPS) {
  return (one.anyOf ?? one.oneOf).flatMap((choice) => {
    const inner = resolved(choice, root);
    const nested = steps && (inner.anyOf || inner.oneOf);
    return nested ? choicesOf(inner, root, steps - 1) : [inner];
  });
}

// Return a schema without `$ref`: what that names, and what stands beside it.
function resolved(schema, root) {
  let one = typeof schema === "object" && schema !== null ? schema : {};
  for (let steps = STEPS; one.$ref; steps -= 1) {
    const { $ref, ...beside } = one;
    const named = steps ? named_(root, $ref) : {};
    one = { ...named, ...beside };
  }
  return one;
}

function named_(root, reference) {
  const names = reference.replace(/^#\/?/, "").split("/").filter(Boolean);
  const found = names.reduce((at, name) => at?.[name.replace(/~1/g, "/").replace(/~0/g, "~")], root);
  return typeof found === "object" && found !== null ? found : {};
}

// --- in words ---------------------------------------------------------------------------------

// Return in a few words what a schema asks for, such as "list of whole numbers".
export function wordsOf(schema, root, deep = 3) {
  const shape = shapeOf(schema, root);
  const inner = (part) => (deep ? wordsOf(part, root, deep - 1) : "…");
  switch (shape.kind) {
    case "object":
      return shape.title || "object";
    case "map":
      return `names, each with: ${inner(shape.values)}`;
    case "list":
      return `list of: ${inner(shape.items)}${sizes(shape, "")}`;
    case "tuple":
      return `[${shape.parts.map(inner).join(", ")}]`;
    case "text":
      return `text${sizes(shape, " characters")}`;
    case "number":
      return (shape.whole ? "whole number" : "number") + range(shape);
    case "choice":
      return shape.values.map((value) => JSON.stringify(value)).join(" or ");
    case "maybe":
      return `${inner(shape.of)} or nothing`;
    case "union":
      return shape.choices.map(inner).join(" or ");
    default:
      return { flag: "yes or no", bytes: "bytes", file: "bytes, as they are" }[shape.kind] ?? (shape.type || "anything");
  }
}

function sizes({ least, most }, unit) {
  if (most !== Infinity) return `, ${least} to ${most}${unit}`;
  return least ? `, at least ${least}${unit}` : "";
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 20 });

function range({ min, max, above, below }) {
  if (min !== undefined && max !== undefined) return `, ${NUMBER.format(min)} to ${NUMBER.format(max)}`;
  const words = [
    [min, "at least"], [above, "above"], [max, "at most"], [below, "below"],
  ].filter(([bound]) => bound !== undefined);
  return words.map(([bound, word]) => `, ${word} ${NUMBER.format(bound)}`).join("");
}
