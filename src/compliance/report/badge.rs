//! The score card as a badge, for a README: [`svg`].

/// The width of a character, on which the drawing insists, whatever the font.
const CHARACTER: usize = 7;

/// Returns a picture that says how many of the MUST cases that ran have passed.
pub(super) fn svg(passed: usize, ran: usize) -> String {
    let (name, result) = ("compliance", format!("{passed} of {ran} MUST"));
    let colour = if passed == ran { "#1a7f37" } else { "#bc4c00" };
    let [left, right] = [name, &result].map(|text| text.chars().count() * CHARACTER);
    let (split, width) = (left + 14, left + right + 28);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\" role=\"img\">
<title>{name}: {result}</title>
<clipPath id=\"edge\"><rect width=\"{width}\" height=\"20\" rx=\"3\"/></clipPath>
<g clip-path=\"url(#edge)\">
<rect width=\"{split}\" height=\"20\" fill=\"#59636e\"/>
<rect x=\"{split}\" width=\"{}\" height=\"20\" fill=\"{colour}\"/>
</g>
<g fill=\"#fff\" font-family=\"sans-serif\" font-size=\"11\">
<text x=\"7\" y=\"14\" textLength=\"{left}\">{name}</text>
<text x=\"{}\" y=\"14\" textLength=\"{right}\">{result}</text>
</g>
</svg>
",
        width - split,
        split + 7,
    )
}
