// The first answer of the server is the whole page: what one has and what things cost don't wait for any script.
import { expect, test } from "./support";

const pages = {
  "/actions": ["10 credits available", "1 credit per 2 seconds", "Make a thumbnail — 1 credit"],
  "/actions/thumbnail": ["10 credits available", "Make a thumbnail costs 1 credit", "Left after 9"],
  "/actions/clip?units=15": ["10 credits available", "Make a clip, 15 seconds, costs 8 credits", "Left after 2"],
  "/credits": ["10 credits available", "10 of 10", "10 expire on"],
  "/history": ["10 credits available", "Sign-up credits", "+10"],
};

test("the source of every page holds the balance and the prices", { tag: "@nojs" }, async ({ page, member }) => {
  for (const [path, words] of Object.entries(pages)) {
    const answer = await page.request.get(path);
    await expect(answer).toBeOK();
    const text = inWords(await answer.text());
    for (const some of words) expect(text, path).toContain(some);
  }
});

test("the source of the first page holds the prices", { tag: "@nojs" }, async ({ request }) => {
  const text = inWords(await (await request.get("/")).text());
  expect(text).toContain("10 credits free when you sign up");
  for (const price of ["1 credit per 2 seconds", "8 credits", "2 credits", "1 credit "]) expect(text).toContain(price);
  for (const words of ["Plans", "Creator", "$15.00 per month", "Credit packs", "$9.00"]) expect(text).toContain(words);
});

test("the source of every page names the product", { tag: "@nojs" }, async ({ page, member }) => {
  for (const [path, title] of [["/", "Reelmaker"], ["/credits", "Credits · Reelmaker"]] as const) {
    const source = await (await page.request.get(path)).text();
    expect(source).toContain(`<title>${title}</title>`);
    expect(inWords(source)).toMatch(/Reelmaker Sandbox: no money moves here\. Every price is shown before anything is spent\. Credits by Scrip/);
  }
});

/** What of a source a person would read. */
function inWords(html: string) {
  const body = html.slice(html.indexOf("<body"));
  return body.replace(/<script[^]*?<\/script>/g, "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}
