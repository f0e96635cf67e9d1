// The first answer of the server is the whole page: what one has and what things cost don't wait for any script.
import { expect, test } from "./support";

const pages = {
  "/actions": ["6 credits available", "Redesign a room — 1 credit", "Make a video tour — 1 credit"],
  "/actions/interior": ["6 credits available", "Redesign a room costs 1 credit", "Left after 5"],
  "/credits": ["6 credits available", "6 of 6", "Nothing expires"],
  "/history": ["6 credits available", "Sign-up credits", "+6"],
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
  expect(text).toContain("6 credits free when you sign up");
  expect(text.match(/1 credit(?!s)/g)).toHaveLength(6);
  for (const words of ["Plans", "Unlimited", "$29.00 per month"]) expect(text).toContain(words);
});

/** What of a source a person would read. */
function inWords(html: string) {
  const body = html.slice(html.indexOf("<body"));
  return body.replace(/<script[^]*?<\/script>/g, "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}
