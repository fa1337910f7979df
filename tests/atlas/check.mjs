// docs/atlas in a browser: no errors, no link that leads nowhere, nothing wider than the window, what axe-core says of
// contrast and labels, what the keyboard reaches, and that two families differ on the page as `camelid diff` prints it.
//
// node tests/atlas/check.mjs [CAMELID], from the project's root; CAMELID is the command, target/release/camelid by default.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const atlas = join(root, "docs/atlas");
const camelid = process.argv[2] ?? join(root, "target/release/camelid");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const problems = [];
const wrong = (place, what) => { problems.push(what); console.error(`${place}: ${what}`); };
const pages = ["", "family"].flatMap((folder) =>
  readdirSync(join(atlas, folder)).filter((name) => name.endsWith(".html")).map((name) => join(folder, name)));
// One page of each template is looked at in every way, the others in one.
const models = pages.filter((page) => !page.startsWith("family/"));
models.push("family/" + pages.filter((page) => page.startsWith("family/"))
  .map((page) => page.slice(7))
  .sort((a, b) => readFileSync(join(atlas, "family", b)).length - readFileSync(join(atlas, "family", a)).length)[0]);

const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "atlas-")), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function visit(name, { width, scheme }, look) {
  const page = await browser.newPage();
  const place = `${name} (${width} wide, ${scheme})`;
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) wrong(place, `console: ${message.text()}`); });
  page.on("pageerror", (error) => wrong(place, `error: ${error.message}`));
  page.on("request", (request) => { if (!/^(file|data):/.test(request.url())) wrong(place, `asks the network for ${request.url()}`); });
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme: scheme });
  await page.goto(pathToFileURL(join(atlas, name.split("#")[0])).href + (name.includes("#") ? `#${name.split("#")[1]}` : ""));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) {
    const who = await page.evaluate(() => {
      const inside = (element) => element.closest(".scroll, pre");
      const out = [...document.querySelectorAll("body *")].filter((it) => it.getBoundingClientRect().right > innerWidth + 1 && !inside(it));
      return out.slice(0, 3).map((it) => it.outerHTML.slice(0, 90));
    });
    wrong(place, `is ${wide} pixels wider than the window: ${who.join(" ")}`);
  }
  await look(page, place);
  await page.close();
}

async function accessible(page, place) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    // What the keyboard scrolled lies half under a table's head.
    for (const box of document.querySelectorAll(".scroll")) box.scrollTop = 0;
    return axe.run(document, { preload: false, runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
  });
  if (passes.length < 10) wrong(place, `axe-core ran ${passes.length} rules only`);
  for (const { id, help, nodes } of violations) {
    wrong(place, `axe-core: ${id}: ${help}: ${nodes.length}×, first ${nodes[0].html.slice(0, 160)} ${nodes[0].any[0]?.message ?? ""}`);
  }
}

async function pictures(page, place) {
  const empty = await page.$$eval("svg[role=img], svg[role=group]", (drawn) => drawn
    .filter((svg) => !svg.querySelector("path[d]:not([d='']), rect, circle") || svg.getBoundingClientRect().width < 40)
    .filter((svg) => !svg.closest("[hidden], details:not([open])"))
    .map((svg) => svg.getAttribute("aria-label") ?? svg.getAttribute("aria-labelledby")));
  for (const name of empty) wrong(place, `the picture ${name} is empty`);
  for (const path of await page.$$eval("[data-chart] path.line", (lines) => lines.filter((it) => it.getTotalLength() < 5).map((it) => it.dataset.line))) {
    wrong(place, `the line ${path} is not drawn`);
  }
}

async function links(page, place, name) {
  for (const href of await page.$$eval("a[href]", (found) => found.map((it) => it.getAttribute("href")))) {
    const [file, anchor] = href.split("#");
    const target = file === "" ? join(atlas, name) : join(atlas, dirname(name), file);
    if (!existsSync(target)) wrong(place, `${href} leads nowhere`);
    else if (anchor && !file.includes("compare") && !readFileSync(target, "utf8").includes(`id="${anchor}"`)) wrong(place, `${href}: no such place`);
  }
}

// Tab goes through everything that can be used, and comes to nothing else.
async function keyboard(page, place) {
  const wanted = await page.evaluate(() => {
    const usable = "a[href], button, select, input, summary, [tabindex='0']";
    const seen = [...document.querySelectorAll(usable)].filter((it) => it.getClientRects().length > 0 && !it.disabled && it.tabIndex >= 0 && (it.tagName === 'SUMMARY' || !it.closest('details:not([open])')));
    seen.forEach((it, at) => { it.dataset.stop = at; });
    return seen.length;
  });
  await page.evaluate(() => document.body.focus());
  const reached = new Set();
  for (let step = 0; step < wanted + 5 && reached.size < wanted; step += 1) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement?.dataset?.stop));
  }
  reached.delete(undefined);
  if (reached.size < wanted) wrong(place, `the keyboard reaches ${reached.size} of ${wanted}`);
}

for (const name of models) {
  await visit(name, { width: 1280, scheme: "light" }, async (page, place) => {
    await keyboard(page, place);
    await accessible(page, place);
  });
}
for (const name of pages) {
  await visit(name, { width: 360, scheme: "dark" }, async (page, place) => {
    await pictures(page, place);
    await links(page, place, name);
    if (models.includes(name)) await accessible(page, place);
  });
}

// Sorting, filtering, choosing, by the keyboard alone.
await visit("matrix.html", { width: 1280, scheme: "light" }, async (page, place) => {
  await page.focus("thead th:nth-child(2) button");
  await page.keyboard.press("Enter");
  const dates = await page.$$eval("tbody td:nth-child(2)", (cells) => cells.map((cell) => cell.textContent));
  if (dates.join() !== [...dates].sort().join()) wrong(place, "Enter in a head does not sort");
  await page.focus("#filter");
  await page.keyboard.type("rope.theta");
  const heads = await page.$$eval("thead th[data-word]:not([hidden])", (found) => found.map((it) => it.dataset.word));
  if (heads.join() !== "rope.theta") wrong(place, `the filter shows ${heads}`);
});

// Two families chosen: the words of every part are those that the command prints.
const names = pages.filter((page) => page.startsWith("family/")).map((page) => page.slice(7, -5));
const pairs = names.slice(1).map((name, at) => [names[at], name]);
await visit("compare.html", { width: 1280, scheme: "light" }, async (page, place) => {
  for (const [a, b] of pairs) {
    const said = JSON.parse(execFileSync(camelid, ["diff", a, b, "--json"], { encoding: "utf8", maxBuffer: 1 << 26 }));
    await page.selectOption("#a", a);
    await page.selectOption("#a-size", said.a.size);
    await page.selectOption("#b", b);
    await page.selectOption("#b-size", said.b.size);
    const parts = await page.$$eval("#differences section", (sections) => sections.map((section) =>
      [section.dataset.part, [...section.querySelectorAll(".difference")].map((it) => it.dataset.word)]));
    const shown = Object.fromEntries(parts);
    for (const [part, lines] of Object.entries(said.differences)) {
      const roles = (words) => words.flatMap((word) => word.startsWith("bias of ")
        ? word.slice(8).split(" | ").map((role) => `bias of ${role}`) : [word]).sort().join("; ");
      const [page, command] = [roles(shown[part] ?? []), roles(lines.map((line) => line.word))];
      if (page !== command) wrong(place, `${a} and ${b}, ${part}: the page says [${page}], the command [${command}]`);
    }
    const boxes = await page.$$eval("#layers .differs", (found) => found.length);
    const inLayers = [...said.differences.mathematics, ...said.differences.sizes].some((line) => /^(attention|mlp|experts)\./.test(line.word));
    if (inLayers && boxes === 0) wrong(place, `${a} and ${b}: no box of a layer is marked`);
  }
});
await browser.close();

console.log(`${pages.length} pages, ${pairs.length} pairs of families`);
if (problems.length > 0) {
  console.error(`${problems.length} problems`);
  process.exit(1);
}
