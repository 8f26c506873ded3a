// The photo and its answer, in the visitor's browser. Texts come from the server as window.flowerTexts.
window.flowerPage = (() => {
  const texts = window.flowerTexts;
  const MAX_BYTES = 1e6;   // larger photos are scaled before they are sent
  const MAX_SIDE = 1600;   // to at most so many pixels
  const KEPT = 5;          // photos of this visit to go back to, in memory alone
  const now = {number: 0, file: null, address: null, key: null, square: null, heat: null, asked: null};
  const named = new URLSearchParams(location.search).get("model");
  const model = window.flowerAliases[named] ?? named;
  now.model = Object.hasOwn(window.flowerModels, model) ? model : null;
  let recent = [];
  const parts = {};        // what each component gives: element, trigger, props, upload
  const find = (selector) => document.querySelector(selector);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const icon = '<svg aria-hidden="true" width="46" height="46" viewBox="0 0 24 24" fill="none" stroke="currentColor" ' +
    'stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"><path d="M12 16V3m0 0L7 8m5-5 5 5M4 21h16"/></svg>';
  const chooser = (classes, text, attributes) =>
    `<label class="${classes}">${text}<input type="file" ${attributes}></label>`;
  const pictures = 'accept="image/*,.heic,.heif,.avif"';

  function stage(element, trigger, props, upload) {
    parts.stage = {element, trigger, props, upload};
    find("#early")?.remove();
    element.innerHTML = `<div class="stage empty">
      <div class="drop">${icon}<h2>${texts.drop_title}</h2><p>${texts.drop_hint}</p><div class="row">
        ${chooser("btn", texts.choose, pictures)}
        ${chooser("btn two take", texts.take, 'accept="image/*" capture="environment"')}
        <button type="button" class="btn two film" hidden>${texts.film}</button></div></div>
      <p class="trouble" role="status" hidden></p>
      <div class="frame"><figure hidden><img class="picture" alt="${texts.photo}">
        <video class="video" muted playsinline hidden></video>
        <canvas class="heat" hidden></canvas>
        <div class="square" tabindex="0" role="group" aria-label="${texts.square}" title="${texts.square}" hidden><i class="grip"></i></div>
        <p class="unseen"></p><p class="tip-square" aria-hidden="true">${texts.square_hint}</p></figure>
      <div class="pills" hidden>${chooser("pill go", texts.another, pictures)}
        ${chooser("pill take", texts.take, 'accept="image/*" capture="environment"')}
        <button type="button" class="pill film" hidden>${texts.film}</button>
        <button type="button" class="pill where" aria-pressed="false">${texts.where}</button>
        <button type="button" class="pill middle" hidden>${texts.middle}</button>
        <button type="button" class="pill back" hidden>${texts.back_to_many}</button>
        <button type="button" class="pill save">${texts.save}</button>
        <button type="button" class="pill hold" hidden>${texts.hold}</button>
        <button type="button" class="pill end" hidden>${texts.end}</button></div></div>
      <p class="looked" aria-live="polite" hidden></p>
    </div>`;
    for (const input of element.querySelectorAll("input[type=file]"))
      input.addEventListener("change", () => { if (input.files.length) use(input.files[0]); input.value = ""; });
    element.querySelector(".where").addEventListener("click", toggleHeat);
    element.querySelector(".save").addEventListener("click", save);
    const picture = element.querySelector(".picture");
    picture.addEventListener("error", () => element.querySelector(".stage").classList.add("undecoded"));
    picture.addEventListener("load", () => {
      takeShape();
      if (!now.square) middle(); else draw();
      now.hinted ??= setTimeout(() => element.querySelector(".stage").classList.add("tried"), 8000);
    });
    movable(element.querySelector(".square"), element.querySelector("figure"));
    new ResizeObserver(draw).observe(element.querySelector("figure"));
    element.querySelector(".middle").addEventListener("click", () => { middle(); changed(true); });
    element.querySelector(".back").addEventListener("click", openMany);
    for (const button of element.querySelectorAll(".film")) button.addEventListener("click", film);
    element.querySelector(".hold").addEventListener("click", hold);
    element.querySelector(".end").addEventListener("click", () => { endFilm(); if (now.file) use(now.file); else empty(); });
    if (named && !now.model) {
      element.querySelector(".trouble").textContent = fill(texts.unknown_model, {model: named.slice(0, 80)});
      element.querySelector(".trouble").hidden = false;
    }
    offerCamera();
    recall();
  }

  // This browser keeps the photo and the tab until its tab is closed, so that Back and a reload lose nothing.
  const KEEP = "flower-alexnet";

  function keep(values) {
    try {
      sessionStorage.setItem(KEEP, JSON.stringify({...JSON.parse(sessionStorage.getItem(KEEP) ?? "{}"), ...values}));
    } catch (error) { /* no room, or not allowed */ }
  }

  function keepPhoto(file) {
    const reader = new FileReader();
    reader.addEventListener("load", () => { if (file === now.small) keep({photo: reader.result, name: now.file.name}); });
    if (file.size < 1.5e6) reader.readAsDataURL(file);
    keep({photo: null, square: null});
  }

  // As shares of the photo, which is kept smaller than it was.
  function keepSquare() {
    const [width, height] = sizeOf(seen()), {left, top, side} = now.square;
    if (!now.filming) keep({square: isMoved() ? [left / width, top / height, side / width] : null});
  }

  const tabs = () => [...document.querySelectorAll('.tab-container [role="tab"]')];

  // Back goes to the tab before, and out of the game; only then out of the page.
  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.('.tab-container [role="tab"]');
    if (!tab || tab.ariaSelected === "true" || now.goingBack) return;
    if (!history.state?.tab) history.replaceState({...history.state, tab: tabs().indexOf(find('.tab-container [aria-selected="true"]'))}, "");
    history.pushState({tab: tabs().indexOf(tab)}, "");
  }, true);
  addEventListener("popstate", ({state}) => {
    if (find("#game")?.open && !state?.game) return find("#game").close();
    open(state?.tab ?? 0);
  });

  // Open a tab that Back or a reload goes to, which is no new step.
  function open(tab) {
    now.goingBack = true;
    tabs()[tab]?.click();
    now.goingBack = false;
  }

  async function recall() {
    let kept = {};
    try { kept = JSON.parse(sessionStorage.getItem(KEEP) ?? "{}"); } catch (error) { /* not allowed */ }
    if (!kept.photo || early) return;
    const blob = await (await fetch(kept.photo)).blob();
    for (let tries = 0; tries < 100 && !parts.answer; tries++) await new Promise((done) => setTimeout(done, 50));
    if (!now.file && !now.filming) await use(new File([blob], kept.name, {type: blob.type}));
    if (kept.square) now.answered = () => {
      const [width, height] = sizeOf(seen()), [left, top, side] = kept.square;
      place(left * width, top * height, side * width);
      if (find("#inside")?.offsetParent) flowerInside.show();
    };
    if (kept.tab) open(kept.tab);
  }

  function strips(element) {
    element.innerHTML = `<section class="strip examples"><h3>${texts.examples}</h3><div class="thumbs"></div></section>
      <section class="strip recent" hidden><h3>${texts.recent}</h3><div class="thumbs"></div></section>`;
    element.querySelector(".examples").hidden = !window.flowerExamples.length;
    offerGame(element);
    for (const [index, {name, thumbnail}] of window.flowerExamples.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.name = name;  // what it shows is not told before the network has been asked
      button.innerHTML = `<img src="${thumbnail}" alt="${fill(texts.example_photo, {number: index + 1})}" width="72" height="72">`;
      button.addEventListener("click", async () => use(new File([await (await fetch(`examples/${name}`)).blob()], name)));
      element.querySelector(".examples .thumbs").append(button);
    }
  }

  // The visitor's language is negotiated; here another can be chosen, which the address keeps.
  const LANGUAGES = {en: "English", "zh-CN": "中文", es: "Español", de: "Deutsch", fr: "Français", ja: "日本語"};

  function languages(element) {
    element.innerHTML = `<nav aria-label="${texts.language}"></nav>`;
    for (const [code, name] of Object.entries(LANGUAGES)) {
      const link = document.createElement("a");
      Object.assign(link, {href: inLanguage(code), textContent: name, lang: code});
      if (code === window.flowerLanguage) link.ariaCurrent = "true";
      link.addEventListener("click", () => { link.href = inLanguage(code); });  // a model may have been chosen since
      element.firstChild.append(link);
    }
  }

  const inLanguage = (code) => {
    const url = new URL(location);
    url.searchParams.set("lang", code);
    return url;
  };

  // What the page promises: some models cannot tell what they do not know.
  function tagline() {
    const line = find("#tagline");
    if (line) line.textContent = window.flowerModels[now.model] === false ? texts.cannot_tell : texts.tagline;
  }

  function hint(element, props, key) {
    if (!props.value) element.innerHTML = `<p class="why">${texts[key]}</p>`;
  }

  let early = null;  // what was given before the page was there
  document.addEventListener("change", (event) => {
    if (event.target.closest?.("#early") && event.target.files.length) take([...event.target.files]);
  });

  // A photo may be dropped or pasted anywhere but into the field for many photos.
  const forMany = (event) => event.target.closest?.("#files");
  document.addEventListener("dragover", (event) => {
    if (!forMany(event)) { event.preventDefault(); find(".stage")?.classList.add("over"); }
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) find(".stage")?.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    find(".stage")?.classList.remove("over");
    if (forMany(event) || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter(({type}) => type.startsWith("image/"));
    if (files.length) { event.preventDefault(); take(files); }
  });

  // One photo is answered where it is; several, a zip of them, or one more for those that are looked at, among the many.
  function take(files) {
    if (!parts.stage || !parts.answer) {  // the page is still on its way
      early = files;
      const told = find("#early output");
      if (told) told.textContent = `${files[0].name} – ${texts.looking}`;
      return;
    }
    if (files.length > 1 || /\.zip$/i.test(files[0].name) || find("#photos figure")?.offsetParent) useMany(files);
    else use(files[0]);
  }

  async function useMany(files) {
    const adds = find("#many")?.offsetParent;  // to those that are there, which make way otherwise
    openMany();
    const given = new DataTransfer();
    for (const file of files) given.items.add(file);
    if (!adds) find("#files [aria-label='Clear']")?.click();
    for (let tries = 0; tries < 100; tries++) {
      const input = find("#files input[type=file]");
      if (input && (adds || !find("#files table"))) {
        input.files = given.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
        return;
      }
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async function use(file) {
    endFilm();
    now.answered = null;
    find(".stage .back").hidden = true;
    const number = ++now.number;
    if (!find("#models")?.offsetParent) find('.tab-container [role="tab"]')?.click();
    now.file = file;
    now.key = null;
    now.address = URL.createObjectURL(file);
    show();
    busy();
    try {
      now.small = await shrunk(file);
      keepPhoto(now.small);
      if (await send(number)) ask();
    } catch (error) {
      if (number === now.number) failed();
    }
  }

  // The same answer again would be no change, and not be shown.
  function ask() {
    parts.answer.props.value = null;
    setTimeout(() => parts.stage.trigger("input"));
  }

  // Send the photo that is there, and return whether it still is. The server deletes photos within the hour and when it
  // ends: who asks about one then sends it again.
  async function send(number) {
    const sent = await parts.stage.upload(now.small);
    if (number !== now.number) return false;
    now.key = sent.path;
    parts.stage.props.value = {path: sent.path, orig_name: now.file.name, meta: {_type: "gradio.FileData"}};
    return true;
  }

  async function sendAgain(then) {
    const number = now.number;
    if (now.sentAgain === number) return failed();
    now.sentAgain = number;
    try {
      if (await send(number)) setTimeout(then);
    } catch (error) {
      if (number === now.number) failed();
    }
  }

  // A large photo takes seconds on a slow line, and the network sees 224 pixels of it. It is scaled beside the page,
  // which would stand still meanwhile.
  const SCALER = `onmessage = async ({data: {file, most}}) => {
    try {
      const bitmap = await createImageBitmap(file, {imageOrientation: "from-image"});
      const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
      const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
      const context = canvas.getContext("2d");
      context.fillStyle = "white";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.imageSmoothingQuality = "high";
      context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      postMessage(await canvas.convertToBlob({type: "image/jpeg", quality: 0.85}));
    } catch (error) {
      postMessage(null);  // what the browser cannot decode, the server may
    }
  }`;

  async function shrunk(file) {
    if (file.size <= MAX_BYTES) return file;
    let worker;
    try {
      worker = new Worker(URL.createObjectURL(new Blob([SCALER], {type: "text/javascript"})));
      const blob = await new Promise((done) => {
        worker.onmessage = ({data}) => done(data);
        worker.onerror = () => done(null);
        worker.postMessage({file, most: MAX_SIDE});
      });
      if (!blob || blob.size >= file.size) return file;
      return new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", {type: blob.type});
    } catch (error) {
      return file;
    } finally {
      worker?.terminate();
    }
  }

  function show() {
    const stage = find(".stage");
    stage.classList.remove("empty", "undecoded", "turned");
    stage.querySelector(".drop").hidden = true;
    stage.querySelector("figure").hidden = stage.querySelector(".pills").hidden = false;
    stage.querySelector(".trouble").hidden = stage.querySelector(".square").hidden = true;
    now.square = null;
    stage.querySelector(".middle").hidden = true;
    stage.querySelector(".picture").src = now.address;
    document.body.style.setProperty("--shown", `url("${now.address}")`);
    stage.querySelector(".unseen").textContent = now.file.name;
    // What was focused is gone; whoever chose by keyboard goes on from here.
    if (document.activeElement === document.body) stage.querySelector(".pill.go input").focus({preventScroll: true});
    if (stage.getBoundingClientRect().top < 0) stage.scrollIntoView();  // an example below it was chosen
    forgetHeat();
  }

  function remember({file, address, key}) {
    const kept = [{file, address, key}, ...recent.filter((photo) => photo.key !== key)].slice(0, KEPT);
    for (const {address: old} of recent) if (!kept.some(({address}) => address === old)) URL.revokeObjectURL(old);
    recent = kept;
    const strip = find(".recent");
    strip.hidden = recent.length < 2;
    strip.querySelector(".thumbs").replaceChildren(...recent.map((photo, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.ariaLabel = fill(texts.recent_photo, {number: index + 1});
      button.innerHTML = '<img alt="" width="56" height="56">';
      button.firstChild.src = photo.address;
      button.addEventListener("click", () => use(photo.file));
      return button;
    }));
  }

  // What tells the flowers from one another, as long as there is no answer.
  const guide = () => window.flowerExamples.filter(({marks}) => marks).map(({label, marks, flower, thumbnail}) =>
    `<div class="ref"><img src="${thumbnail}" alt="" width="44" height="44"><p><b class="name ${flower}">${label}</b> ${marks}</p></div>`
  ).join("");

  const question = () => {
    find("#words").innerHTML = `<div class="panel"><h2>${texts.question}</h2><p class="why">${texts.intro}</p>
      <div class="guide">${guide()}</div></div>`;
  };

  function answer(element, trigger, props, watch) {
    parts.answer = {element, trigger, props};
    element.innerHTML = '<p id="said" role="status"></p><div id="words"></div>';
    question();
    if (early) setTimeout(() => take(early));
    watch("value", () => {
      const made = document.createElement("div");
      made.innerHTML = props.value;
      const panel = made.querySelector(".panel");
      if (!panel || panel.dataset.key !== (now.key ?? "")) return;  // of a photo that is there no more
      // Of what was asked last: when a question fails, Gradio sets the former value once more.
      if (now.key && (!now.waiting || (now.model && panel.dataset.model && panel.dataset.model !== now.model))) return;
      if (panel.classList.contains("gone")) return sendAgain(ask);
      put(panel);
      settled(panel);
      if (isMoved()) lookSoon(true);  // by another model, at what the visitor chose of the photo
      else if (now.square) now.answered?.();
      now.answered = null;
      if (find("#models")?.offsetParent) parts.models.trigger("input");
    });
    element.addEventListener("click", (event) => {
      const bar = event.target.closest("button.bar");
      if (bar) askHeat(bar.dataset.label);
      if (event.target.closest(".alikes")) showAlikes(element.querySelector(".references"));
    });
  }

  // Of each of the two flowers, the test photos that look most like this one to the network.
  async function showAlikes(references) {
    const rows = [...references.querySelectorAll(".ref")], button = references.querySelector(".alikes");
    button.disabled = true;
    try {
      const found = await askInside("inside", await current(), "image/png", {alike: rows.map((row) => row.dataset.label)});
      if (!found) throw new Error("busy");
      references.querySelector("h3").textContent = button.textContent;
      button.remove();
      for (const row of rows) row.querySelector(".thumbs").replaceChildren(...found.filter(({label}) => label === row.dataset.label).map(({address, name, by, at}) => {
        const link = document.createElement("a"), photo = link.appendChild(document.createElement("img"));
        Object.assign(link, {href: at, target: "_blank", rel: "noopener", title: by});
        return Object.assign(photo, {src: address, alt: `${name}. ${by}`, width: 66, height: 66}), link;
      }));
    } catch (error) {
      button.disabled = false;
    }
  }

  // An answer is there: its photo is kept, unless it cannot be used.
  function settled(panel) {
    const {label, known} = panel.dataset, stage = find(".stage");
    now.sentAgain = null;
    found();
    stop(false);
    stage.querySelector(".save").disabled = stage.querySelector(".where").disabled = !label;
    stage.classList.toggle("refused", !label);
    stage.classList.toggle("unknown", known === "0");
    if (label && now.key && !stage.classList.contains("undecoded")) remember(now);
    const turned = "turned" in panel.dataset;  // the browser shows it as it lies in the file: the server's is upright
    stage.classList.toggle("turned", turned);
    forgetHeat();
    draw();
    if (label && (turned || stage.classList.contains("undecoded"))) askShown();
  }

  // Put a panel in the place of the former one: what both have glides from there to here.
  function put(panel) {
    const words = find("#words"), before = new Map();
    for (const bar of words.querySelectorAll(".bar[data-label]"))
      before.set(bar.dataset.label, [bar.getBoundingClientRect().top, bar.querySelector("i").offsetWidth]);
    for (const photo of panel.querySelectorAll(".references img"))  // an example is not compared with itself
      if (now.file?.name && photo.src.endsWith(`/examples/${now.file.name}`)) photo.remove();
    const [kept, made] = [words, panel].map((it) => it.querySelector(".references"));
    if (kept && made && kept.innerHTML === made.innerHTML) made.replaceWith(kept);  // its photos do not flicker
    for (const opened of words.querySelectorAll("details[open]"))
      panel.querySelector(`details.${opened.className}`)?.setAttribute("open", "");
    words.replaceChildren(panel);
    // Read aloud is what it says, not the bars and the photos to compare with; nothing while it moves.
    asking.said ??= setTimeout(() => {
      asking.said = null;
      find("#said").textContent = find("#words h2")?.innerText ?? "";
    }, now.filming ? 2000 : 300);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const bar of panel.querySelectorAll(".bar[data-label]")) {
      const [top, width] = before.get(bar.dataset.label) ?? [], timing = {duration: 180, easing: "ease-out"};
      if (top === undefined || !bar.offsetParent) continue;
      const line = bar.querySelector("i"), down = top - bar.getBoundingClientRect().top;
      if (down) bar.animate([{transform: `translateY(${down}px)`}, {transform: "none"}], timing);
      line.animate([{width: `${width}px`}, {width: `${line.offsetWidth}px`}], timing);
    }
  }

  // While an answer is on its way, nothing of the former one can be read, pressed or saved.
  const busy = () => {
    find("#words h2").textContent = texts.looking;
    stop(true);
    find(".stage .save").disabled = find(".stage .where").disabled = true;
    if (now.heat) forgetHeat();
  };

  function stop(stopped) {
    now.waiting = stopped;
    find("#words").classList.toggle("stale", stopped);
    find("#words").inert = stopped;
  }

  // The page's questions fail when the server or the line is gone. One quiet line says so until both are back; what was
  // asked is then asked again by itself, a few times, or when the visitor says so.
  const lost = {timer: null, tries: 0, ask: null};

  function failed(ask = askAgain) {
    lost.ask = ask;
    const line = find("#lost") ?? document.body.appendChild(Object.assign(document.createElement("div"), {id: "lost"}));
    line.setAttribute("role", "status");
    line.innerHTML = `<span>${texts.lost}</span> <button type="button" class="pill">${texts.again}</button>`;
    line.querySelector("button").addEventListener("click", () => { lost.tries = 0; recover(); });
    if (now.file && find("#words.stale")) {
      find("#words").innerHTML = `<div class="panel problem" data-key=""><h2>${texts.failed}</h2><p class="why">${texts.try_again}</p>
        <button type="button" class="pill go">${texts.again}</button></div>`;
      find("#words .problem button").addEventListener("click", () => { lost.tries = 0; recover(); });
      stop(false);
      find(".stage").classList.add("refused");
    }
    clearTimeout(lost.timer);
    if (lost.tries < 5) lost.timer = setTimeout(recover, 2000 * ++lost.tries);
  }

  async function recover() {
    clearTimeout(lost.timer);
    const ask = lost.ask;
    try {
      const answer = await reach("gradio_api/app_id", {cache: "no-store"});
      if (!answer.ok) throw new Error(answer.status);
    } catch (error) {
      lost.timer = setTimeout(recover, 2000);
      return;
    }
    find("#lost")?.remove();
    ask();
  }

  // A question was answered.
  function found() {
    clearTimeout(lost.timer);
    lost.tries = 0;
    find("#lost")?.remove();
  }

  // Ask again what the visitor sees: the answer to the photo, and what the open tab shows of it.
  async function askAgain() {
    now.sentAgain = null;  // a server that was started anew has no photo
    if (now.file && find("#words.stale, #words .problem")) {
      busy();
      await sendAgain(ask);
    } else if (now.file && find(".stage").matches(".undecoded, .turned")) {
      await sendAgain(askShown);
    }
    if (find("#models")?.offsetParent) setTimeout(() => parts.models.trigger("input"));
    if (find("#about")?.offsetParent) setTimeout(() => parts.about.trigger("input"));
  }

  // Where the line is gone, Gradio tells no event of it: it asks for its own address until that answers, and loads the
  // page anew, so that photo and answer are gone. Here a question that does not arrive has failed like any other.
  const reach = window.fetch.bind(window);
  const NO_ANSWER = {error: "no connection", detail: "no connection"};
  window.fetch = async (address, options) => {
    const {pathname} = new URL(address?.url ?? address, location);
    if (new URLSearchParams(location.search).has("lang") && options?.method === "POST") {
      options = {...options, headers: new Headers(options.headers)};
      options.headers.set("Accept-Language", window.flowerLanguage);
    }
    const [, question] = pathname.match(/\/gradio_api\/(app_id|run\/predict|queue\/join|queue\/data)\/?$/) ?? [];
    if (!question) return reach(address, options);
    if (question === "app_id") throw new TypeError("not asked for");
    try {
      const response = await reach(address, options);
      if (question === "queue/join") response.clone().json().then(({event_id}) => { now.event = event_id; }, () => {});
      return question === "queue/data" ? new Response(answered(response.body), response) : response;
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return new Response(JSON.stringify(NO_ANSWER), {status: 503, headers: {"Content-Type": "application/json"}});
    }
  };

  // A stream of events that breaks off ends with the failure of the event that was asked for last.
  function answered(body) {
    const reader = body.getReader();
    const failure = () => JSON.stringify({msg: "process_completed", event_id: now.event, output: NO_ANSWER, success: false});
    return new ReadableStream({
      async pull(controller) {
        try {
          const {done, value} = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          if (error.name === "AbortError") return controller.error(error);
          controller.enqueue(new TextEncoder().encode(`data: ${failure()}\n\n`));
          controller.close();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  // A photo that the browser cannot show, or shows as it lies in the file, comes back from the server as it is answered.
  function shown(element, trigger, props, watch) {
    parts.shown = {element, trigger, props};
    watch("value", () => {
      const made = props.value, stage = find(".stage");
      if (made?.gone && made.key === now.key) return sendAgain(askShown);
      if (!made?.photo || made.key !== now.key || !stage.matches(".undecoded, .turned")) return;
      stage.classList.remove("undecoded", "turned");
      now.square = null;
      stage.querySelector(".picture").src = made.photo;
    });
  }

  function askShown() {
    parts.shown.props.value = null;
    setTimeout(() => parts.shown.trigger("input"));
  }

  // The square is what the network sees: of the photo, or of the camera's picture, in pixels of either.
  const SMALLEST = 48;
  const seen = () => find(now.filming ? ".stage .video" : ".stage .picture");
  const sizeOf = (it) => [it.videoWidth ?? it.naturalWidth, it.videoHeight ?? it.naturalHeight];
  const largest = () => Math.min(...sizeOf(seen()));
  const inTheMiddle = () => {
    const [width, height] = sizeOf(seen()), side = largest();
    return {left: (width - side) / 2, top: (height - side) / 2, side};
  };

  // The frame has the shape of what is in it.
  const takeShape = () => {
    const [width, height] = sizeOf(seen());
    find(".stage").style.setProperty("--shape", width / height || 1);
  };

  function middle() {
    now.square = inTheMiddle();
    draw();
  }

  // Whether it is elsewhere than where the network looks by itself.
  function isMoved() {
    if (!now.square) return false;
    const {left, top, side} = inTheMiddle();
    return Math.abs(now.square.side - side) + Math.abs(now.square.left - left) + Math.abs(now.square.top - top) > 1;
  }

  function place(left, top, side) {
    const [width, height] = sizeOf(seen()), most = largest();
    side = Math.min(most, Math.max(Math.min(SMALLEST, most), side));
    left = Math.min(width - side, Math.max(0, left));
    top = Math.min(height - side, Math.max(0, top));
    now.square = {left, top, side};
    find(".stage").classList.add("tried");
    draw();
    changed(false);
  }

  // Make it larger or smaller around its middle.
  const resize = (factor) => {
    const {left, top, side} = now.square, most = largest();
    const made = Math.min(most, Math.max(Math.min(SMALLEST, most), side * factor));
    place(left + (side - made) / 2, top + (side - made) / 2, made);
  };

  function movable(square, figure) {
    const fingers = new Map();
    let begun = null;
    const begin = () => {
      const points = [...fingers.values()], {x, y} = points[0];
      const apart = points.length > 1 ? Math.hypot(points[1].x - x, points[1].y - y) : null;
      begun = {x, y, apart, ...now.square, grip: begun?.grip};
    };
    square.addEventListener("pointerdown", (event) => {
      if (event.button || !now.square) return;
      fingers.set(event.pointerId, {x: event.clientX, y: event.clientY});
      begun = {grip: event.target.className === "grip"};
      begin();
      square.setPointerCapture(event.pointerId);
    });
    square.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, {x: event.clientX, y: event.clientY});
      const {scale} = pictureBox(), [one, other] = [...fingers.values()];
      const [right, down] = [(one.x - begun.x) / scale, (one.y - begun.y) / scale];
      if (other && begun.apart) {
        const side = begun.side * Math.hypot(other.x - one.x, other.y - one.y) / begun.apart;
        place(begun.left + (begun.side - side) / 2, begun.top + (begun.side - side) / 2, side);
      } else if (begun.grip) place(begun.left, begun.top, begun.side + Math.max(right, down));
      else if (right || down) place(begun.left + right, begun.top + down, begun.side);
    });
    for (const kind of ["pointerup", "pointercancel"]) square.addEventListener(kind, (event) => {
      if (fingers.delete(event.pointerId) && fingers.size) begin();
    });
    figure.addEventListener("wheel", (event) => {
      // A wheel scrolls the page, until the square was taken up.
      if (!now.square || !(event.ctrlKey || document.activeElement === square)) return;
      event.preventDefault();
      resize(Math.exp(event.deltaY * (event.ctrlKey ? 0.01 : 0.001)));
    }, {passive: false});
    square.addEventListener("keydown", (event) => {
      if (!now.square || event.altKey || event.ctrlKey || event.metaKey) return;
      const {left, top, side} = now.square, step = side * (event.shiftKey ? 0.15 : 0.04);
      const to = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step]}[event.key];
      if (to) place(left + to[0], top + to[1], side);
      else if (event.key === "+" || event.key === "=") resize(1.08);
      else if (event.key === "-") resize(1 / 1.08);
      else if (event.key === "Escape" || event.key === "Home") { middle(); changed(true); }
      else return;
      event.preventDefault();
    });
  }

  // Where the picture is in the frame, which it fills in one direction alone.
  function pictureBox() {
    const figure = find(".stage figure"), [width, height] = sizeOf(seen());
    const scale = Math.min(figure.clientWidth / width, figure.clientHeight / height) || 1;
    return {left: (figure.clientWidth - width * scale) / 2, top: (figure.clientHeight - height * scale) / 2, scale};
  }

  function draw() {
    const stage = find(".stage"), square = stage?.querySelector(".square");
    if (!now.square || !square) return;
    const box = pictureBox();
    for (const it of [square, stage.querySelector(".heat")]) {
      it.style.left = `${box.left + now.square.left * box.scale}px`;
      it.style.top = `${box.top + now.square.top * box.scale}px`;
      it.style.width = it.style.height = `${now.square.side * box.scale}px`;
    }
    square.hidden = stage.matches(".undecoded, .refused");
    stage.querySelector(".middle").hidden = now.filming || !isMoved();
  }

  // The network is asked all the time while the square moves, and once more, of every pixel, when it rests.
  const asking = {busy: false, wanted: null, rest: null};

  function changed(rests) {
    if (!now.heatShown) now.heat = null;
    lookSoon(rests);
    clearTimeout(asking.rest);
    if (rests) keepSquare();
    else if (!now.filming) asking.rest = setTimeout(() => { keepSquare(); lookSoon(true); }, 250);
  }

  async function lookSoon(rests) {
    asking.wanted = {rests};
    if (asking.busy) return;
    asking.busy = true;
    while (asking.wanted) {
      const {rests} = asking.wanted;
      asking.wanted = null;
      try {
        await look(rests);
      } catch (error) {
        if (now.filming) endFilm();
        if (now.file) failed(() => lookSoon(true));
        break;
      }
      if (now.filming && !asking.wanted) asking.wanted = {rests: false};
    }
    asking.busy = false;
  }

  const MOVING = [256, "image/webp", 0.85], RESTING = [448, "image/png"];  // pixels, format, quality: 8 kB, and exact

  async function look(rests) {
    if (!now.square || (!now.file && !now.filming)) return;
    const {number, model} = now, {left, top, side} = now.square, [most, type, quality] = rests ? RESTING : MOVING;
    const began = performance.now();
    const query = {model: model ?? find("#words .panel")?.dataset.model ?? "", key: now.key ?? ""};
    if (rests || now.heatShown) query.heat = 1;
    const told = await askAbout(seen(), wholePixels(now.square), Math.min(1, most / side), type, query, quality);
    if (number !== now.number) return;
    found();
    if (!told) return;
    const stays = now.square && left === now.square.left && top === now.square.top && side === now.square.side;
    if (number !== now.number || (rests && !stays)) return;
    const made = document.createElement("div");
    made.innerHTML = told.panel;
    // Where it looks by itself, the answer to the whole photo stands.
    if (now.filming || isMoved() || find(".stage").matches(".moved-once")) put(made.querySelector(".panel"));
    find(".stage").classList.toggle("moved-once", now.filming || isMoved());
    find(".stage").classList.toggle("unknown", told.verdict === "none");
    if (told.heat) {
      now.heat = {labels: told.heat, rests};
      if (now.heatShown) drawHeat();
    }
    if (now.filming) await new Promise((done) => setTimeout(done, Math.max(0, 90 - (performance.now() - began))));
  }

  // Of a rectangle the server takes the middle square; with half a pixel more all of them would be blurred.
  function wholePixels({left, top, side}) {
    const [x, y] = [Math.floor(left + 1e-6), Math.floor(top + 1e-6)];
    return {x, y, width: Math.ceil(left + side - 1e-6) - x, height: Math.ceil(top + side - 1e-6) - y};
  }

  // Send a part of a picture, and return what the network says of it; null where it is busy or cannot say.
  async function askAbout(source, {x, y, width, height}, scale, type, query, quality, path = "look") {
    const canvas = asking.canvas ??= document.createElement("canvas"), context = canvas.getContext("2d");
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    context.imageSmoothingQuality = "high";
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
    const picture = await new Promise((done) => canvas.toBlob(done, type, quality));
    const address = `${path}?${new URLSearchParams(query)}`;
    const response = await fetch(address, {method: "POST", body: picture, headers: {"Content-Type": type}});
    if (response.status === 503) await new Promise((done) => setTimeout(done, 1000));  // who is too many is slowed
    return response.ok ? response.json() : null;
  }

  // What the square holds, for who looks inside; of an example as long as there is no photo.
  async function current() {
    if (now.square && !now.filming && !find(".stage").matches(".undecoded")) {
      return {image: seen(), ...wholePixels(now.square)};
    }
    const image = new Image(), example = window.flowerExamples[2] ?? window.flowerExamples[0];
    if (!example) return null;
    image.src = `examples/${example.name}`;
    await image.decode();
    const side = Math.min(image.naturalWidth, image.naturalHeight);
    const [left, top] = [(image.naturalWidth - side) / 2, (image.naturalHeight - side) / 2];
    return {image, ...wholePixels({left, top, side}), example: true};
  }

  const askInside = (path, {image, ...box}, type, query) => askAbout(image, box, Math.min(1, 448 / box.width), type,
    {model: now.model ?? find("#words .panel")?.dataset.model ?? "", ...query}, undefined, path);

  // A label's heat is there at once, or after one look.
  function askHeat(label) {
    if (!now.square) return;
    now.asked = label;
    now.heatShown = true;
    if (now.heat) drawHeat();
    else lookSoon(true);
  }

  function toggleHeat() {
    if (now.heatShown && !find(".stage .heat").hidden) hideHeat();
    else askHeat("");
  }

  const INFERNO = [[0, 0, 4], [22, 11, 57], [66, 10, 104], [106, 23, 110], [147, 38, 103], [188, 55, 84], [221, 81, 58],
    [243, 120, 25], [252, 165, 10], [246, 215, 70], [252, 255, 164]];  // as in flower_alexnet/explain.py

  function paint(canvas, grid) {
    const context = canvas.getContext("2d"), size = grid.length, image = new ImageData(size, size);
    canvas.width = canvas.height = size;
    grid.flat().forEach((value, index) => {
      const at = value / 255 * (INFERNO.length - 1), low = INFERNO[Math.floor(at)], high = INFERNO[Math.ceil(at)];
      for (let channel = 0; channel < 3; channel++)
        image.data[4 * index + channel] = low[channel] + (high[channel] - low[channel]) * (at % 1);
      image.data[4 * index + 3] = 255 * 0.65 * Math.max(value / 255, 0.5);
    });
    context.putImageData(image, 0, 0);
    canvas.hidden = false;
  }

  function drawHeat() {
    const of = now.heat.labels[now.asked] ? now.asked : Object.keys(now.heat.labels)[0];
    const {grid, name} = now.heat.labels[of];
    const stage = find(".stage");
    paint(stage.querySelector(".heat"), grid);
    draw();
    const looked = stage.querySelector(".looked");
    looked.textContent = whereItLooked(grid, name);
    looked.hidden = false;
    stage.querySelector(".where").ariaPressed = "true";
    for (const bar of document.querySelectorAll("#words .bar")) bar.classList.toggle("asked", bar.dataset.label === of);
    if (stage.getBoundingClientRect().top < 0) stage.scrollIntoView({behavior: "smooth"});  // a bar below it was pressed
  }

  // In words: in which ninth of the square the heat has its middle, or that it is all over it.
  function whereItLooked(grid, flower) {
    const size = grid.length, top = Math.max(...grid.flat());
    if (top < 64) return fill(texts.looked_nowhere, {flower});  // as dark as where there is nothing
    let sum = 0, across = 0, down = 0, hot = 0;
    grid.forEach((row, y) => row.forEach((value, x) => {
      const weight = value * value;  // what shines counts most
      sum += weight; across += weight * (x + 0.5); down += weight * (y + 0.5); hot += value > top / 2;
    }));
    const third = (at) => at < 0.42 ? 0 : at > 0.58 ? 2 : 1, places = texts.places.split("|");
    const where = hot > 0.6 * size * size ? places[9] : places[3 * third(down / sum / size) + third(across / sum / size)];
    return fill(texts.where_info, {flower, place: where});
  }

  function hideHeat() {
    const stage = find(".stage");
    now.heatShown = false;
    stage.querySelector(".heat").hidden = stage.querySelector(".looked").hidden = true;
    stage.querySelector(".where").ariaPressed = "false";
    for (const bar of document.querySelectorAll("#words .bar")) bar.classList.remove("asked");
  }

  function forgetHeat() {
    now.heat = now.asked = null;
    hideHeat();
  }

  // You or the network: ten photos, each guessed by the visitor first; then the network says what it sees, and where.
  const game = {photos: [], at: 0, you: 0, it: 0, played: [], seen: []};

  function offerGame(element) {
    if (!window.flowerGame) return;  // of other classes there is no gallery
    const button = document.createElement("button");
    Object.assign(button, {type: "button", className: "pill play", textContent: texts.game_title});
    button.addEventListener("click", play);
    element.querySelector(".examples").append(button);
  }

  async function play() {
    let dialog = find("#game");
    if (!dialog) {
      dialog = document.body.querySelector(".gradio-container").appendChild(document.createElement("dialog"));
      dialog.id = "game";
      dialog.setAttribute("aria-label", texts.game_title);
      dialog.addEventListener("keydown", ({key}) => { if (/^[1-9]$/.test(key)) dialog.querySelectorAll(".guess button")[key - 1]?.click(); });
      dialog.addEventListener("click", ({target, clientX, clientY}) => {  // beside it; a button that is answered is not there
        const {left, right, top, bottom} = dialog.getBoundingClientRect();
        if (target === dialog && (clientX < left || clientX > right || clientY < top || clientY > bottom)) dialog.close();
      });
      dialog.addEventListener("close", () => { if (history.state?.game) history.back(); });
    }
    try {
      const seen = game.seen.slice(-80).join(",");
      const response = await fetch(`game?${new URLSearchParams({seen})}`, {headers: {"Accept-Language": window.flowerLanguage}});
      if (!response.ok) throw new Error(response.status);
      Object.assign(game, {photos: await response.json(), at: 0, you: 0, it: 0, played: []});
      game.seen.push(...game.photos.map(({address}) => address.match(/gallery\/(.*)\.webp/)[1]));
    } catch (error) {
      return failed(play);
    }
    found();
    if (!dialog.open) {
      dialog.showModal();
      history.pushState({...history.state, game: true}, "");
    }
    turn();
  }

  const guesses = () => [...window.flowerGame, {label: null, name: texts.none_named}];

  function turn() {
    const dialog = find("#game"), photo = game.photos[game.at], all = game.photos.length;
    if (!photo) {
      const words = fill(texts.game_end, {you: game.you, it: game.it, all});
      dialog.innerHTML = `<form method="dialog"><button class="close" aria-label="${texts.close}">×</button></form><h2>${words}</h2>
        <ul class="played"></ul><div class="row"><button type="button" class="btn again">${texts.game_again}</button></div>`;
      dialog.querySelector(".played").append(...game.played.map(played));
      dialog.querySelector(".again").addEventListener("click", play);
      dialog.querySelector(".again").focus({preventScroll: true});
      dialog.scrollTop = 0;
      return;
    }
    const count = fill(texts.game_count, {number: game.at + 1, all, you: game.you, it: game.it});
    dialog.innerHTML = `<form method="dialog"><button class="close" aria-label="${texts.close}">×</button></form>
      <p class="count">${count}</p>
      <figure><img src="${photo.address}" alt="${fill(texts.example_photo, {number: game.at + 1})}" width="224" height="224">
        <canvas class="heat" hidden></canvas></figure>
      <div class="guess"></div><div class="told" aria-live="polite"></div>`;
    for (const {label, name} of guesses()) {
      const button = document.createElement("button");
      Object.assign(button, {type: "button", className: `pill ${label ? `flower-${label}` : ""}`, textContent: name});
      button.addEventListener("click", () => guess(label, button));
      dialog.querySelector(".guess").append(button);
    }
    dialog.querySelector(".guess button").focus();
  }

  const line = (words, good) => `<p class="${good ? "good" : "bad"}">${good ? "✓" : "✗"} ${words}</p>`;
  const nameOf = (label) => guesses().find((it) => it.label === label).name;

  // What became of a photo, for the end.
  function played({photo, guessed, said}) {
    const row = document.createElement("li");
    row.innerHTML = `<img src="${photo.address}" alt="" width="64" height="64"><div><b></b>
      ${line(fill(texts.game_you, {flower: nameOf(guessed)}), guessed === photo.label)}
      ${line(fill(texts.game_it, {flower: nameOf(said)}), said === photo.label)}</div>`;
    Object.assign(row.querySelector("b"), {textContent: nameOf(photo.label), className: photo.label ? `name flower-${photo.label}` : "name"});
    return row;
  }

  // What the page writes beside the first bar.
  const bar = (panel) => {
    const made = document.createElement("div");
    made.innerHTML = panel;
    return made.querySelector("button.bar .p").textContent;
  };

  async function guess(label, button) {
    const dialog = find("#game"), photo = game.photos[game.at], image = dialog.querySelector("img"), number = game.at;
    if (dialog.querySelector(".guess").inert) return;
    dialog.querySelector(".guess").inert = true;
    const right = label === photo.label, told = dialog.querySelector(".told");
    button.classList.add("chosen");
    let answer;
    try {
      await image.decode();
      answer = await askAbout(image, {x: 0, y: 0, width: image.naturalWidth, height: image.naturalHeight}, 1, "image/png", {heat: 1});
    } catch (error) { answer = null; }
    if (game.at !== number || !dialog.open) return;
    if (!answer) {
      dialog.querySelector(".guess").inert = false;
      told.textContent = texts.try_again;
      return;
    }
    const [first] = Object.keys(answer.heat), said = answer.verdict === "none" ? null : first;
    game.you += right;
    game.it += said === photo.label;
    game.played.push({photo, guessed: label, said});
    const share = said ? ` (${bar(answer.panel)})` : "";
    const shows = document.createElement("b");
    shows.textContent = nameOf(photo.label);
    shows.className = photo.label ? `name flower-${photo.label}` : "name";
    told.innerHTML = `<p>${fill(texts.game_truth, {flower: shows.outerHTML})}</p>` +
      line(fill(texts.game_you, {flower: nameOf(label)}), right) +
      line(fill(texts.game_it, {flower: nameOf(said) + share}), said === photo.label) +
      `<p class="credit"></p><button type="button" class="btn next">${texts.game_next}</button>`;
    told.querySelector(".credit").textContent = photo.credit;
    const counted = {number: game.at + 1, all: game.photos.length, you: game.you, it: game.it};
    dialog.querySelector(".count").textContent = fill(texts.game_count, counted);
    for (const one of dialog.querySelectorAll(".guess button")) one.classList.toggle("right", one.textContent === nameOf(photo.label));
    const canvas = dialog.querySelector(".heat");
    if (said) paint(canvas, answer.heat[said].grid);
    dialog.querySelector("figure").classList.add("asked");
    told.querySelector(".next").addEventListener("click", () => { game.at++; turn(); });
    told.querySelector(".next").focus();
  }

  // The camera: its picture in place of the photo, and the same answers, as fast as they come.
  async function offerCamera() {
    const devices = await navigator.mediaDevices?.enumerateDevices?.().catch(() => []) ?? [];
    // Over http no page has a camera: who presses the button is told.
    const offered = !navigator.mediaDevices || devices.some(({kind}) => kind === "videoinput");
    for (const button of document.querySelectorAll(".stage .film")) button.hidden = !offered;
  }
  navigator.mediaDevices?.addEventListener?.("devicechange", () => { if (find(".stage")) offerCamera(); });

  async function film() {
    const stage = find(".stage"), trouble = stage.querySelector(".trouble"), video = stage.querySelector(".video");
    const say = (words) => { trouble.textContent = words; trouble.hidden = false; };
    trouble.hidden = true;
    if (!navigator.mediaDevices?.getUserMedia) return say(texts.film_https);
    const number = ++now.number;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: "environment", width: {ideal: 960}}});
    } catch (error) {
      if (number === now.number) now.number--;
      return say(error.name === "NotAllowedError" ? texts.film_refused :
        error.name === "NotFoundError" ? texts.film_none : texts.film_failed);
    }
    if (number !== now.number) return stream.getTracks().forEach((track) => track.stop());
    forgetHeat();
    now.filming = stream;
    now.key = null;
    stop(false);
    video.srcObject = stream;
    await video.play().catch(() => {});
    stage.classList.remove("empty", "undecoded", "turned", "refused");
    stage.classList.add("filming");
    stage.querySelector(".drop").hidden = true;
    stage.querySelector("figure").hidden = stage.querySelector(".pills").hidden = video.hidden = false;
    stage.querySelector(".hold").hidden = stage.querySelector(".end").hidden = false;
    stage.querySelector(".where").disabled = false;
    stage.querySelector(".hold").focus({preventScroll: true});
    for (const track of stream.getTracks()) track.addEventListener("ended", () => { if (now.filming === stream) { endFilm(); empty(); say(texts.film_failed); } });
    takeShape();
    middle();
    lookSoon(false);
  }

  function endFilm() {
    if (!now.filming) return;
    for (const track of now.filming.getTracks()) track.stop();
    now.filming = null;
    now.number++;
    asking.wanted = null;
    now.square = null;
    const stage = find(".stage"), video = stage.querySelector(".video");
    video.srcObject = null;
    stage.classList.remove("filming", "moved-once");
    video.hidden = stage.querySelector(".hold").hidden = stage.querySelector(".end").hidden = true;
    stage.querySelector(".square").hidden = true;
    forgetHeat();
  }

  // Keep the picture that is there, as the photo.
  async function hold() {
    const video = find(".stage .video"), canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = sizeOf(video);
    canvas.getContext("2d").drawImage(video, 0, 0);
    const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
    use(new File([picture], "camera.jpg", {type: "image/jpeg"}));
  }

  // As it was before there was a photo.
  function empty() {
    const stage = find(".stage");
    now.file = now.key = null;
    stage.classList.add("empty");
    stage.querySelector(".drop").hidden = false;
    stage.querySelector("figure").hidden = stage.querySelector(".pills").hidden = true;
    question();
  }

  // It films for nobody who does not look.
  const leave = () => { if (now.filming) { endFilm(); if (now.file) use(now.file); else empty(); } };
  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); });
  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.('.tab-container [role="tab"]');
    if (tab) keep({tab: tabs().indexOf(tab)});
    if (tab && now.filming && tab !== find('.tab-container [role="tab"]')) leave();
  }, true);

  // A card of photo, heat, answer and bars, made here; it goes to the share sheet, or into the downloads.
  async function save() {
    const stage = find(".stage"), picture = stage.querySelector(".picture"), over = stage.querySelector(".heat");
    const panel = find("#words .panel"), style = getComputedStyle(document.body), ink = (name) => style.getPropertyValue(name);
    const bars = [...panel.querySelectorAll(".known .bar"), ...[...panel.querySelectorAll("button.bar")].slice(0, 3)];
    const width = 1080, scale = width / picture.naturalWidth, height = Math.round(scale * picture.naturalHeight);
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    canvas.width = width;
    canvas.height = height + 210 + 56 * bars.length;
    context.fillStyle = ink("--card");
    context.fillRect(0, 0, width, canvas.height);
    context.drawImage(picture, 0, 0, width, height);
    const {left, top, side} = now.square ?? {};
    if (!over.hidden) context.drawImage(over, left * scale, top * scale, side * scale, side * scale);
    if (isMoved()) {
      context.lineWidth = 4;
      context.strokeStyle = "white";
      context.strokeRect(left * scale, top * scale, side * scale, side * scale);
    }
    const heading = panel.querySelector("h2"), name = heading.querySelector(".name");
    const write = (text, x, y, font, color, most, align = "left") => {
      context.font = `${font} system-ui, sans-serif`;
      context.fillStyle = color;
      context.textAlign = align;
      context.fillText(text, x, y, most);
    };
    write(heading.innerText.replace(/\s+/g, " "), 40, height + 90, "700 60px", name ? getComputedStyle(name).color : ink("--ink"), width - 80);
    bars.forEach((bar, index) => {
      const line = bar.querySelector("i"), y = height + 130 + 56 * index, long = 520 * parseFloat(line.style.width) / 100;
      write(bar.querySelector(".n").textContent, 40, y + 30, "30px", ink("--ink"), 280);
      context.fillStyle = getComputedStyle(line).backgroundColor;
      context.beginPath();
      context.roundRect(340, y + 6, Math.max(6, long), 28, 14);
      context.fill();
      write(bar.querySelector(".p").textContent, width - 40, y + 30, "600 30px", ink("--ink"), 140, "right");
    });
    const when = new Date().toLocaleDateString(document.documentElement.lang, {dateStyle: "long"});
    const address = location.host + location.pathname.replace(/\/$/, "");
    write([document.title, when, address].join(" · "), 40, canvas.height - 32, "26px", ink("--soft"), width - 80);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    const file = new File([blob], `${panel.dataset.known === "1" ? panel.dataset.label : "photo"}.jpg`, {type: "image/jpeg"});
    if (matchMedia("(pointer: coarse)").matches && navigator.canShare?.({files: [file]})) {
      try { await navigator.share({files: [file]}); } catch (error) { /* the visitor closed the sheet */ }
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // Many photos: shown by flower, the least sure first, also when they are answered anew, and each can be opened where one
  // photo is.
  const order = {alone: undefined, unsureFirst: false, watch: null};
  document.addEventListener("click", (event) => {
    const chip = event.target.closest?.("#status button.chip"), one = event.target.closest?.("#photos figure button");
    if (chip) {
      const pressed = chip.ariaPressed !== "true";
      if (chip.matches(".sort")) order.unsureFirst = pressed;
      else order.alone = pressed ? chip.dataset.label : undefined;
      if (!order.watch) {
        order.watch = new MutationObserver(arrange);
        for (const shown of ["#status", "#photos"]) order.watch.observe(find(shown), {childList: true, subtree: true});
      }
      arrange();
    } else if (one) lookCloser(one.closest("figure"));
  });

  function arrange() {
    const chips = [...document.querySelectorAll("#status button.chip")];
    for (const chip of chips) chip.ariaPressed = String(chip.matches(".sort") ? order.unsureFirst : chip.dataset.label === order.alone);
    const shown = chips.find((chip) => chip.dataset.label === order.alone)?.dataset.label, unsure = shown === "?";
    const photos = [...document.querySelectorAll("#photos figure")];
    photos.forEach((photo, index) => {
      photo.dataset.index ??= index;
      photo.hidden = unsure ? !photo.matches(".conditional") : shown !== undefined && photo.dataset.label !== shown;
    });
    const key = order.unsureFirst && find("#status .sort") ? "sure" : "index";
    photos.sort((one, other) => one.dataset[key] - other.dataset[key]);
    photos[0]?.parentElement.append(...photos);
    order.watch.takeRecords();  // its own
  }

  async function lookCloser(photo) {
    const {at, name} = photo.dataset;
    let response = null;
    if (at) response = await fetch(`gradio_api/file=${at}`).catch(() => null);
    if (!response?.ok) response = await fetch(photo.querySelector("img").src);
    use(new File([await response.blob()], name));
    find(".stage .back").hidden = false;
    setTimeout(() => scrollTo({top: 0}), 50);
  }

  const openMany = () => tabs()[1]?.click();

  // Beside Gradio's list of files, which is not shown: each photo has its name.
  function adding(element) {
    element.innerHTML = `<div class="adding"><button type="button" class="pill add">${texts.add_photos}</button>
      <button type="button" class="pill remove">${texts.remove_photos}</button></div>`;
    element.querySelector(".add").addEventListener("click", () => find("#files input[type=file]")?.click());
    element.querySelector(".remove").addEventListener("click", () => find("#files [aria-label='Clear']")?.click());
  }

  const failedMany = () => { if (find("#many")?.offsetParent) failed(() => {}); };

  function models(element, trigger, props, watch) {
    parts.models = {element, trigger, props};
    watch("value", () => {
      if (element.querySelector(".gone") && now.file) sendAgain(() => trigger("input"));
      const said = element.querySelector(".said");
      if (said && isMoved()) said.append(Object.assign(document.createElement("p"), {className: "why", textContent: texts.models_middle}));
    });
  }

  function about(element, trigger) {
    parts.about = {element, trigger};
  }

  // The address names the model; in a Space the page is in a frame, whose address nobody sees.
  function shareModel(model) {
    now.model = model;
    tagline();
    const url = new URL(location);
    url.searchParams.set("model", model);
    history.replaceState(history.state, "", url);
    if (parent !== window) parent.postMessage({queryString: url.searchParams.toString()}, "https://huggingface.co");
    if (now.key) { busy(); parts.answer.props.value = null; }
  }

  return {languages, tagline, stage, strips, answer, shown, hint, models, about, adding, shareModel, failed, failedMany, found, current, ask: askInside, paint, fill};
})();
