'use strict';
// The form and the places of the answer. All numbers, sentences and pictures come from the law's own
// arithmetic, which is WebAssembly and stands in this page.
(() => {
  const el = (id) => document.getElementById(id);
  const form = el('question');
  const fields = [...form.elements].filter((field) => field.name);
  const commands = JSON.parse(el('commands').textContent);
  const parts = ['enough', 'curve', 'numbers', 'foretold', 'choice', 'cannot'];
  // Reasons are texts, not HTML.
  const reasons = ['no_loss', 'no_choice'];

  // ---- The arithmetic: texts in, texts out, over its memory.

  let wasm;

  function start() {
    const bytes = Uint8Array.from(atob(el('wasm').textContent), (letter) => letter.charCodeAt(0));
    return WebAssembly.instantiate(bytes).then(({ instance }) => {
      wasm = instance.exports;
      return call('planner_open', el('law').textContent);
    });
  }

  function call(name, text) {
    const bytes = new TextEncoder().encode(text);
    const at = wasm.planner_room(bytes.length);
    new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
    const length = wasm[name]();
    const left = new Uint8Array(wasm.memory.buffer, wasm.planner_text(), length);
    return JSON.parse(new TextDecoder().decode(left));
  }

  // ---- The form.

  function option(select, value, text) {
    const made = document.createElement('option');
    made.value = value;
    made.textContent = text;
    select.append(made);
  }

  function fill(about) {
    const named = about.groups.slice(0, 3).map((group) => `${group.label} (${group.runs} runs)`);
    const more = about.groups.length - named.length;
    el('about').textContent = `By a law of ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
    for (const series of new Set(about.models.map((model) => model.series))) {
      const list = document.createElement('optgroup');
      list.label = series;
      for (const model of about.models.filter((model) => model.series === series)) {
        option(list, model.name, `${model.name} (${model.parameters.toLocaleString('en')})`);
      }
      el('model').append(list);
    }
    for (const name of ['series', 'method', 'objective']) {
      const values = new Set(about.groups.map((group) => group[name]));
      if (values.size === 1 && name !== 'series') {
        el(name).options[0].textContent = [...values][0];
      } else {
        values.forEach((value) => option(el(name), value, value));
      }
    }
    const rates = new Set(about.groups.flatMap((group) => group.rates));
    [...rates].sort((a, b) => a - b).forEach((rate) => option(el('rates'), rate, rate));
    for (const device of about.devices) {
      option(el('devices'), device.name, `${device.teraflops} teraflops`);
    }
    el('gain').placeholder = about.gain;
    el('utilisation').placeholder = about.utilisation;
    el('of-weights').hidden = about.groups.every((group) => group.kind_known);
    el('of-cached').hidden = about.groups.every((group) => group.objective === 'lm');
  }

  function value(field) {
    return field.type === 'checkbox' ? (field.checked ? field.value : '') : field.value.trim();
  }

  function question() {
    const asked = {};
    for (const field of fields) {
      if (value(field) !== '' && !field.disabled) asked[field.name] = value(field);
    }
    return asked;
  }

  function put(asked) {
    for (const field of fields) {
      const text = asked[field.name] ?? '';
      if (field.type === 'checkbox') {
        field.checked = text === field.value;
        continue;
      }
      // A link may name what the list lacks: that is shown, and refused by the law.
      if (field.tagName === 'SELECT' && ![...field.options].some((one) => one.value === text)) {
        option(field, text, text);
      }
      field.value = text;
    }
    follow();
  }

  // A model by its name has its own parameters; a device is needed for hours and money.
  function follow() {
    el('n0').disabled = el('model').value !== '';
    el('utilisation').disabled = el('price').disabled = el('device').value.trim() === '';
  }

  const address = () => '#' + new URLSearchParams(question());
  const ofAddress = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

  // ---- The answer.

  function show() {
    const asked = question();
    let answer;
    try {
      answer = call('planner_answer', JSON.stringify(asked));
    } catch (error) {
      answer = { error: { text: `The arithmetic of this page failed (${error.message}): load it again` } };
    }
    for (const field of fields) field.removeAttribute('aria-invalid');
    const wrong = answer.error;
    el('error').hidden = !wrong;
    el('shown').hidden = Boolean(wrong);
    el('error').textContent = '';
    if (wrong) {
      el('status').textContent = '';
      const field = wrong.field && el(wrong.field);
      if (field) field.setAttribute('aria-invalid', 'true');
      const label = field && form.querySelector(`label[for="${wrong.field}"]`);
      el('error').textContent = label ? `${label.textContent}: ${wrong.text}` : wrong.text;
    } else {
      // This HTML is made by the law's own arithmetic, which escapes every name.
      parts.forEach((part) => { el(`part-${part}`).innerHTML = answer.parts[part] ?? ''; });
      reasons.forEach((part) => { el(`part-${part}`).textContent = answer.parts[part] ?? ''; });
      for (const section of document.querySelectorAll('[data-part]')) {
        section.hidden = section.dataset.part.split(' ').every((part) => !answer.parts[part]);
      }
      if (el('status').textContent !== answer.sentence) el('status').textContent = answer.sentence;
    }
    el('command').textContent = lines(asked).join('\n');
    document.documentElement.dataset.answered = JSON.stringify(asked);
    return answer;
  }

  let waiting;
  function ask() {
    follow();
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      history.replaceState(null, '', address());
      show();
    }, 200);
  }

  // ---- The same in a terminal.

  function quoted(text) {
    return /^[\w.,:%+/@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  }

  function line(name, asked) {
    const words = ['regrow', name, quoted(commands.law)];
    for (const [field, flag] of commands[name]) {
      const text = asked[field];
      if (text === undefined) continue;
      if (typeof flag !== 'string') words.push(flag[text] ?? '');
      else if (text.startsWith('-')) words.push(quoted(`${flag}=${text}`));
      else words.push(flag, quoted(text));
    }
    return words.filter(Boolean).join(' ');
  }

  function lines(asked) {
    const { rate, ...others } = asked;
    const found = [line('plan', asked)];
    if (rate !== undefined) found.push(line('plan', others));
    if (rate !== undefined && asked.tokens !== undefined) found.push(line('predict', asked));
    return found;
  }

  async function copy(text, what) {
    let said = `${what} copied`;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page from a file may have no clipboard: the text is selected instead.
      if (what === 'commands') getSelection().selectAllChildren(el('command'));
      said = what === 'commands' ? 'selected: copy it now' : 'copy the address of this page';
    }
    el('copied').textContent = said;
  }

  // The address holds the question, so this link moves the focus alone.
  el('skip').addEventListener('click', (event) => {
    event.preventDefault();
    el('answers').focus();
  });
  form.addEventListener('input', ask);
  form.addEventListener('submit', (event) => event.preventDefault());
  addEventListener('hashchange', () => { put(ofAddress()); show(); });
  el('copy-command').addEventListener('click', () => copy(el('command').textContent, 'commands'));
  el('copy-link').addEventListener('click', () => copy(location.href, 'link'));

  start().then((about) => {
    if (about.error) throw new Error(about.error.text);
    fill(about);
    put(location.hash.length > 1 ? ofAddress() : about.first ?? {});
    show();
    performance.mark('first-answer');
  }).catch((error) => {
    el('error').hidden = false;
    el('error').textContent = `This page cannot start: ${error.message}`;
  });
})();
