package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// chart is a plot of bars that lie, one below the other.
type chart struct {
	file, title, note string
	bars              []bar
	line              float64 // a value that is marked across all bars; 0: none
}

// bar is one of them. What is pale is compared with.
type bar struct {
	label string
	value float64
	text  string // the value, as it is shown
	pale  bool
}

// The measures of a chart, in pixels.
const (
	chartWidth = 900
	margin     = 20
	topHeight  = 74
	rowHeight  = 34
	barHeight  = 20
	labelWidth = 350
	textWidth  = 150
	barWidth   = chartWidth - 2*margin - labelWidth - textWidth
)

// style has colours for either scheme, and a ground of its own: so a picture can be read wherever it is shown.
const style = `<style>
text{font:14px system-ui,sans-serif;fill:#1f2328}
.title{font-size:17px;font-weight:600}.note{font-size:12px;fill:#59636e}
.ground{fill:#ffffff;stroke:#d1d9e0}.bar{fill:#0969da}.pale{fill:#818b98}.line{stroke:#bc4c00;stroke-width:2;stroke-dasharray:5 4}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.ground{fill:#0d1117;stroke:#3d444d}.bar{fill:#4493f8}.pale{fill:#656c76}.line{stroke:#f0883e}}
</style>
`

// svg returns the picture.
func (c chart) svg() []byte {
	most := c.line
	for _, b := range c.bars {
		most = max(most, b.value)
	}
	height := topHeight + len(c.bars)*rowHeight + margin
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", chartWidth, height)
	fmt.Fprintf(&out, "<title>%s</title>\n%s", escaped(c.title), style)
	fmt.Fprintf(&out, `<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`+"\n", chartWidth-1, height-1)
	fmt.Fprintf(&out, `<text class="title" x="%d" y="34">%s</text>`+"\n"+`<text class="note" x="%[1]d" y="56">%[3]s</text>`+"\n", margin, escaped(c.title), escaped(c.note))
	for i, b := range c.bars {
		c.bar(&out, b, topHeight+i*rowHeight, most)
	}
	if c.line > 0 {
		x := margin + labelWidth + barWidth*c.line/most
		fmt.Fprintf(&out, `<line class="line" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", x, x, topHeight-4, topHeight+len(c.bars)*rowHeight-2)
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// bar writes a label, a bar at least as wide as can be seen, and its value.
func (c chart) bar(out *bytes.Buffer, b bar, top int, most float64) {
	width := 1.5
	if most > 0 {
		width = max(width, barWidth*b.value/most)
	}
	class, base := "bar", top+barHeight-5
	if b.pale {
		class = "pale"
	}
	fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="end">%s</text>`, margin+labelWidth-10, base, escaped(b.label))
	fmt.Fprintf(out, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, class, margin+labelWidth, top, width, barHeight)
	fmt.Fprintf(out, `<text x="%.1f" y="%d">%s</text>`+"\n", margin+labelWidth+width+8, base, escaped(b.text))
}

func escaped(text string) string {
	var out bytes.Buffer
	// A buffer takes everything.
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}
