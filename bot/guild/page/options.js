// Slash commands as the app registered them: which there are, and what their options take.

const TYPE = { SUB: 1, STRING: 3, INTEGER: 4, BOOLEAN: 5, USER: 6, CHANNEL: 7, NUMBER: 10 };
const SHOWN = 25;

/** Everything that can be typed after the slash: a command, or each of its subcommands. */
export function typeable(commands) {
  return commands.flatMap((command) => {
    const subs = (command.options ?? []).filter((option) => option.type === TYPE.SUB);
    if (!subs.length) return [{ ...entry(command, null), options: command.options ?? [] }];
    return subs.map((sub) => ({ ...entry(command, sub), options: sub.options ?? [] }));
  });
}

function entry(command, sub) {
  return {
    name: command.name,
    sub: sub?.name ?? null,
    path: `/${command.name}${sub ? ` ${sub.name}` : ""}`,
    description: (sub ?? command).description ?? "",
  };
}

/** Those that continue what was typed; also by the beginning of a subcommand's own name. */
export function continuing(commands, text) {
  if (!/^\/[\w-]*(?: [\w-]*)?$/.test(text)) return [];
  const word = text.slice(1).toLowerCase();
  const all = typeable(commands);
  const straight = all.filter((one) => one.path.slice(1).startsWith(word));
  const bySub = all.filter((one) => !straight.includes(one) && one.sub?.startsWith(word));
  return [...straight, ...bySub];
}

/** The command whose whole path was typed, with the options written after it: or null. */
export function typed(commands, text) {
  const found = typeable(commands)
    .filter((one) => text === one.path || text.startsWith(`${one.path} `))
    .sort((a, b) => b.path.length - a.path.length)[0];
  return found ? { command: found, values: written(found, text.slice(found.path.length)) } : null;
}

/** `sender:x page:2`: a value goes up to the next option's name. */
function written(command, text) {
  const names = command.options.map((option) => option.name);
  const parts = text.split(/(?:^|\s)([\w-]+):/);
  const values = new Map();
  let name = null;
  for (let i = 1; i < parts.length; i += 2) {
    if (names.includes(parts[i])) {
      name = parts[i];
      values.set(name, parts[i + 1].trim());
    } else if (name) {
      values.set(name, `${values.get(name)} ${parts[i]}:${parts[i + 1]}`.trim());
    }
  }
  return values;
}

/** The choices of an option that are known without asking: `[{name, value}]`, or null. */
export function choices(option, store) {
  if (option.choices?.length) return option.choices;
  if (option.type === TYPE.BOOLEAN)
    return [
      { name: "True", value: true },
      { name: "False", value: false },
    ];
  if (option.type === TYPE.USER)
    return store.members().map((one) => ({ name: one.display || one.name, value: one.id }));
  if (option.type === TYPE.CHANNEL)
    return store.channels.map((one) => ({ name: `#${one.name}`, value: one.id }));
  return null;
}

/** The choices whose name holds what was typed, as many as Discord shows. */
export function matching(list, text) {
  const wanted = text.trim().toLowerCase();
  return list.filter((one) => one.name.toLowerCase().includes(wanted)).slice(0, SHOWN);
}

/**
 * What a typed text is as the option's value: `{value}` or `{error}`. `picked` is the choice
 * taken from a list, if there was one.
 */
export function valueOf(option, text, picked, known) {
  if (picked) return { value: picked.value };
  if (known) {
    const same = known.find((one) => one.name.toLowerCase() === text.trim().toLowerCase());
    return same ? { value: same.value } : { error: "Choose one from the list." };
  }
  if (option.type === TYPE.INTEGER || option.type === TYPE.NUMBER) return number(option, text);
  if (option.min_length && text.length < option.min_length)
    return { error: `At least ${option.min_length} characters.` };
  if (option.max_length && text.length > option.max_length)
    return { error: `At most ${option.max_length} characters.` };
  return { value: text };
}

function number(option, text) {
  const whole = option.type === TYPE.INTEGER;
  const pattern = whole ? /^-?\d{1,15}$/ : /^-?\d{1,15}(?:\.\d{1,15})?$/;
  if (!pattern.test(text.trim())) return { error: whole ? "A whole number." : "A number." };
  const value = Number(text.trim());
  if (option.min_value !== undefined && option.min_value !== null && value < option.min_value)
    return { error: `At least ${option.min_value}.` };
  if (option.max_value !== undefined && option.max_value !== null && value > option.max_value)
    return { error: `At most ${option.max_value}.` };
  return { value };
}
