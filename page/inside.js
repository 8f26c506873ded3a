// The tab that shows a photo on its way through the network. What it draws comes from page/inside.py.
window.flowerInside = (() => {
  const texts = window.flowerTexts;
  const MODEL = "model.py";
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const bytes = (text) => Uint8Array.from(atob(text), (it) => it.charCodeAt(0));
  let element = null, asked = 0, shown = null;

  const make = (tag, values = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), values);
    made.append(...children);
    return made;
  };

  // A small picture of bytes: gray from black to white, or red, green and blue.
  function picture(values, side, color) {
    const canvas = make("canvas", {width: side, height: side}), image = new ImageData(side, side);
    for (let at = 0; at < side * side; at++)
      for (let channel = 0; channel < 4; channel++)
        image.data[4 * at + channel] = channel === 3 ? 255 : values[color ? 3 * at + channel : at];
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  function station(title, sentence, ...parts) {
    const section = make("section", {className: "station"}, make("h3", {textContent: title}), make("p", {textContent: sentence}));
    section.append(...parts);
    return section;
  }

  async function show() {
    if (!element) return;
    const number = ++asked, source = await flowerPage.current();
    if (number !== asked) return;
    if (!source) return (element.innerHTML = `<p class="why">${texts.inside_no_photo}</p>`);
    element.innerHTML = `<p class="why">${texts.looking}</p>`;
    let told = null;
    try {
      told = await flowerPage.ask("inside", source, "image/png", {});
    } catch (error) {
      return flowerPage.failed(show);
    }
    if (number !== asked) return;
    if (!told) return (element.innerHTML = `<p class="why">${texts.try_again}</p>`);
    flowerPage.found();
    shown = {source, told};
    draw(number);
  }

  function draw(number) {
    const {source, told} = shown, [first] = told.layers;
    const photo = make("div", {className: "seen"}, cut(source, told.size), make("canvas", {className: "over", hidden: true}), make("i", {hidden: true}));
    const kernels = make("div", {className: "kernels"});
    const maps = new Map(first.maps);
    told.kernels.forEach((kernel, index) => {
      const name = fill(texts.inside_kernel, {number: index + 1});
      const button = make("button", {type: "button", title: name, ariaLabel: name}, picture(bytes(kernel), 11, true));
      button.addEventListener("click", () => lay(photo, first, maps.get(index), button));
      kernels.append(button);
    });
    const layers = told.layers.map((layer, at) => {
      const row = make("div", {className: "maps"});
      for (const [channel, grid] of layer.maps.slice(0, 12)) {
        const name = fill(texts.inside_map, {number: channel + 1, layer: at + 1});
        const button = make("button", {type: "button", title: name, ariaLabel: name}, picture(bytes(grid), layer.side));
        button.addEventListener("click", (event) => { lay(photo, layer, grid, button); if (event.detail) field(photo, layer, event, told.size); });
        button.addEventListener("pointermove", (event) => field(photo, layer, event, told.size));
        button.addEventListener("pointerleave", ({pointerType}) => { if (pointerType === "mouse") photo.querySelector("i").hidden = true; });
        row.append(button);
      }
      const [channels, side] = layer.shape;
      return make("div", {}, make("p", {className: "size", textContent: fill(texts.inside_layer, {number: at + 1, channels, side, field: layer.field})}), row);
    });
    const alike = make("div", {className: "alike"});
    const [all, active] = told.features;
    const story = make("div", {className: "story"},
      make("p", {className: "why", textContent: texts.inside_intro}),
      station(texts.inside_kernels, texts.inside_kernels_how, kernels, line(told.lines.kernels)),
      station(texts.inside_layers, texts.inside_layers_how, ...layers, line(told.lines.layers)),
      station(fill(texts.inside_features, {all}), fill(texts.inside_features_how, {all, active}), alike, line(told.lines.features)),
      station(texts.inside_answers, fill(texts.inside_answers_how, {temperature: decimal(told.temperature, 2)}), table(told)),
      station(texts.inside_break, texts.inside_break_how, breaking(source, told)));
    const how = `${source.example ? `${texts.inside_example} ` : ""}${fill(texts.inside_arrives_how, {size: told.size})}`;
    const arrives = make("aside", {}, make("h3", {textContent: texts.inside_arrives}), make("p", {textContent: how}), photo);
    element.replaceChildren(arrives, story);
    nearest(alike, source, number);
  }

  // In a Space the line can be read; elsewhere it is told which one it is.
  function line(at) {
    const words = fill(texts.inside_code, {file: MODEL, line: at}), {code} = shown.told;
    const link = code && make("a", {href: `${code}#L${at}`, target: "_blank", rel: "noopener", textContent: words});
    return make("p", {className: "code"}, link || words);
  }

  const decimal = (value, digits) => value.toLocaleString(document.documentElement.lang, {minimumFractionDigits: digits, maximumFractionDigits: digits});
  const percent = (share) => share >= 0.995 ? ">99 %" : share < 0.005 ? "<1 %" : `${Math.round(100 * share)} %`;

  // The square as it is sent.
  function cut({image, x, y, width, height}, size) {
    const canvas = make("canvas", {width: size, height: size, className: "arrives"});
    canvas.setAttribute("role", "img");
    canvas.ariaLabel = texts.inside_arrives;
    canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, size, size);
    return canvas;
  }

  // Lay a map over the photo; a second press takes it away.
  function lay(photo, layer, grid, button) {
    const over = photo.querySelector(".over"), again = button.matches(".laid");
    for (const other of element.querySelectorAll(".laid")) other.classList.remove("laid");
    over.hidden = again;
    if (again) return;
    button.classList.add("laid");
    const values = bytes(grid), side = layer.side, most = Math.max(1, ...values);  // faint ones show where, too
    const rows = Array.from({length: side}, (_, row) => [...values.slice(row * side, (row + 1) * side)].map((it) => 255 * it / most));
    flowerPage.paint(over, rows);
  }

  // What a place of a map has seen of the photo.
  function field(photo, layer, event, size) {
    const box = event.currentTarget.getBoundingClientRect(), places = layer.shape[1];
    const at = (share) => Math.min(places - 1, Math.max(0, Math.floor(share * places)));
    const corner = (place) => layer.start + place * layer.stride - layer.field / 2;
    const left = Math.max(0, corner(at((event.clientX - box.left) / box.width)));
    const top = Math.max(0, corner(at((event.clientY - box.top) / box.height)));
    const frame = photo.querySelector("i");
    frame.hidden = false;
    const right = Math.min(size, corner(at((event.clientX - box.left) / box.width)) + layer.field);
    const bottom = Math.min(size, corner(at((event.clientY - box.top) / box.height)) + layer.field);
    for (const [key, value] of Object.entries({left, top, width: right - left, height: bottom - top}))
      frame.style[key] = `${100 * value / size}%`;
  }

  async function nearest(alike, source, number) {
    alike.textContent = texts.looking;
    const found = await flowerPage.ask("inside", source, "image/png", {alike: 1}).catch(() => null);
    if (number !== asked) return;
    if (!found?.length) return (alike.textContent = texts.inside_no_gallery);
    alike.replaceChildren(...found.map(({address, label, name, by, at}) => {
      const link = make("a", {href: at, target: "_blank", rel: "noopener", title: by}, make("img", {src: address, alt: `${name}. ${by}`, width: 112, height: 112}));
      return make("figure", {}, link, make("figcaption", {className: `name flower-${label}`, textContent: name}), make("small", {textContent: by}));
    }));
  }

  function table(told) {
    const rows = [...told.answers].sort((one, other) => other[2] - one[2]).slice(0, 8).map(([name, label, logit, share]) => make("tr", {},
      make("th", {scope: "row", className: `name flower-${label}`, textContent: name}), make("td", {textContent: decimal(logit, 2)}),
      make("td", {textContent: decimal(logit / told.temperature, 2)}), make("td", {textContent: `${decimal(100 * share, 1)} %`})));
    const heads = ["", texts.inside_logit, texts.inside_divided, texts.inside_share].map((it) => make("th", {scope: "col", textContent: it}));
    const made = make("div", {className: "scroll"}, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
    if (told.known !== null) made.append(make("p", {className: "size", textContent: fill(texts.inside_known, {share: decimal(100 * told.known, 1)})}));
    return made;
  }

  // The photo, spoiled by hand; the bars follow.
  function breaking(source, told) {
    // As many pixels as are sent otherwise: untouched, it has the same answer.
    const size = Math.round(Math.min(448, source.width)), canvas = cut(source, size), bars = make("div", {className: "bars", role: "status"});
    const state = {blur: 0, dark: 0, turn: 0, cover: null};
    const sliders = [["blur", texts.inside_blur, 8], ["dark", texts.inside_dark, 90], ["turn", texts.inside_turn, 180]].map(([key, name, max]) => {
      const input = make("input", {type: "range", min: 0, max, value: 0});
      input.addEventListener("input", () => { state[key] = Number(input.value); spoil(); });
      return make("label", {}, make("span", {textContent: name}), input);
    });
    let busy = false, again = false;
    async function spoil() {
      const context = canvas.getContext("2d"), {image, x, y, width, height} = source;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.filter = "none";
      context.fillStyle = "#808080";
      context.fillRect(0, 0, size, size);
      context.filter = `blur(${state.blur * size / 224}px) brightness(${100 - state.dark}%)`;
      context.translate(size / 2, size / 2);
      context.rotate(state.turn * Math.PI / 180);
      context.drawImage(image, x, y, width, height, -size / 2, -size / 2, size, size);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.filter = "none";
      if (state.cover) context.fillRect(state.cover.x - size / 6, state.cover.y - size / 6, size / 3, size / 3);
      if (busy) return (again = true);
      busy = true;
      do {
        again = false;
        const answer = await flowerPage.ask("look", {image: canvas, x: 0, y: 0, width: size, height: size}, "image/png", {heat: 1}).catch(() => null);
        if (answer) fillBars(bars, answer);
      } while (again);
      busy = false;
    }
    const cover = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = canvas.getBoundingClientRect();
      state.cover = {x: size * (event.clientX - box.left) / box.width, y: size * (event.clientY - box.top) / box.height};
      spoil();
    };
    canvas.tabIndex = 0;
    canvas.ariaLabel = texts.inside_cover;
    canvas.addEventListener("pointerdown", cover);
    canvas.addEventListener("pointermove", cover);
    canvas.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: [-size / 20, 0], ArrowRight: [size / 20, 0], ArrowUp: [0, -size / 20], ArrowDown: [0, size / 20]}[event.key];
      if (!step) return;
      event.preventDefault();
      const {x, y} = state.cover ?? {x: size / 2, y: size / 2};
      state.cover = {x: x + step[0], y: y + step[1]};
      spoil();
    });
    const undo = make("button", {type: "button", className: "pill", textContent: texts.inside_undo});
    undo.addEventListener("click", () => {
      Object.assign(state, {blur: 0, dark: 0, turn: 0, cover: null});
      for (const input of undo.parentElement.querySelectorAll("input")) input.value = 0;
      spoil();
    });
    setTimeout(spoil);
    return make("div", {className: "break"}, canvas, make("div", {}, ...sliders, undo, bars));
  }

  function fillBars(bars, answer) {
    const known = answer.in_distribution_probability, rows = known === null ? [] : [[texts.inside_one_of, "other", known]];
    for (const [label, {name}] of Object.entries(answer.heat)) rows.push([name, label, answer.probabilities[label]]);
    bars.replaceChildren(...rows.map(([name, label, share]) => {
      const track = make("span", {className: "t"}, make("i", {className: `flower-${label}`, style: `width:${100 * share}%`}));
      return make("div", {className: "bar"}, make("span", {className: "n", textContent: name}), track, make("span", {className: "p", textContent: percent(share)}));
    }));
  }

  function mount(given) {
    element = given.querySelector(".gradio-style") ?? given;
    element.classList.add("inside");
  }

  return {mount, show};
})();
