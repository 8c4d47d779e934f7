package tidy

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// notes are words for work that is put off. They are spelled apart so that this file does not hold them.
var notes = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// checkNotes refuses notes to ourselves: what is missing stands in README.md, or is done.
func checkNotes(t *Tree, r Rules, found func(place, format string, args ...any)) {
	t.eachLine(r, func(place, line string) {
		if word := notes.FindString(line); word != "" {
			found(place, "%s: do it, or say in README.md that it is missing", word)
		}
	})
}

// leaks are traces of the machine on which something was written: home and scratch directories, hosts that serve packages,
// addresses of private networks.
var leaks = regexp.MustCompile(`(?:^|[^\w.$)}/-])(/(?:work|root|home/\w+|Users/\w+)/|/tmp/` + `bash)` +
	`|(?:registry|proxy|sum|mirror|goproxy|artifactory|nexus)\.[a-z0-9-]+\.(?:org|com|net|io|dev|local|internal)\b` +
	`|https?://(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d`)

// checkLeaks refuses them everywhere but in checksums of modules.
func checkLeaks(t *Tree, r Rules, found func(place, format string, args ...any)) {
	t.eachLine(r, func(place, line string) {
		if leak := leaks.FindString(line); leak != "" {
			found(place, "%q belongs to one machine", strings.TrimSpace(leak))
		}
	})
}

// eachLine yields the lines of the texts that were written by hand, with their places.
func (t *Tree) eachLine(r Rules, yield func(place, line string)) {
	for _, text := range t.Texts {
		if strings.HasSuffix(text.Path, "go.sum") || strings.Contains(text.Path, "testdata/fuzz/") || r.Unread(text.Path) {
			continue
		}
		n := 0
		for line := range strings.Lines(text.Content) {
			n++
			yield(fmt.Sprintf("%s:%d", text.Path, n), line)
		}
	}
}

var (
	fence      = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	span       = regexp.MustCompile("`[^`\n]+`")
	link       = regexp.MustCompile(`\]\(([^()\s]+(?:\([^()\s]*\))?)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	makeTarget = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)\b`)
	targetLine = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
)

// checkLinks wants every relative link of a page to lead to a file, and to a heading if it names one.
func checkLinks(t *Tree, r Rules, found func(place, format string, args ...any)) {
	for _, page := range t.pages(r) {
		prose := span.ReplaceAllString(fence.ReplaceAllString(page.Content, ""), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" || u.Host != "" {
				continue
			}
			target := page.Path
			if u.Path != "" {
				target = path.Join(path.Dir(page.Path), u.Path)
			}
			if !t.paths[target] {
				found(page.Path, "the link %s leads nowhere", m[1])
			} else if u.Fragment != "" && !hasHeading(t.text(target), u.Fragment) {
				found(page.Path, "the link %s names no heading", m[1])
			}
		}
	}
}

func (t *Tree) pages(r Rules) []Text {
	var pages []Text
	for _, text := range t.Texts {
		if strings.HasSuffix(text.Path, ".md") && !r.Unread(text.Path) {
			pages = append(pages, text)
		}
	}
	return pages
}

// hasHeading makes anchors of headings as code hosts do.
func hasHeading(page, anchor string) bool {
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		if strings.ReplaceAll(slug, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// checkTargets wants every make target that a page's code names to exist, and every target to explain itself, since
// make alone prints those that do.
func checkTargets(t *Tree, r Rules, found func(place, format string, args ...any)) {
	makefile := t.text("Makefile")
	exists := map[string]bool{}
	for _, m := range targetLine.FindAllStringSubmatch(makefile, -1) {
		exists[m[1]] = true
	}
	for line := range strings.Lines(makefile) {
		if targetLine.MatchString(line) && !strings.Contains(line, "## ") {
			found("Makefile", "%q says nothing about itself (## …)", strings.TrimSpace(line))
		}
	}
	for _, page := range t.pages(r) {
		code := append(fence.FindAllString(page.Content, -1), span.FindAllString(page.Content, -1)...)
		for _, c := range code {
			for _, m := range makeTarget.FindAllStringSubmatch(c, -1) {
				if !exists[m[1]] {
					found(page.Path, "make %s: there is no such target", m[1])
				}
			}
		}
	}
}
