// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package regexpcost estimates from above what it takes to compile a regular expression, before
// it is compiled: package regexp bounds neither the time nor the memory well enough for input.
package regexpcost

import "strings"

// wideClass is what a class of characters costs that may reach over most of Unicode,
// in instructions of a program: package regexp walks over all of its characters.
const wideClass = 1024

// Of is an upper bound of what it takes to compile a regular expression: the
// instructions of its program, and wideClass for each class that may be wide. It is linear
// in the text, and may end as soon as the cost is above most. A text that is no regular
// expression has some cost, too.
func Of(text string, most int) int {
	c := costOf(text, most)
	return c.total()
}

// Programs of fewer than onePass instructions that are anchored at the start are compiled in
// a second form, which copies the class of each instruction: wideCopy instructions' worth.
const (
	onePass  = 1000
	wideCopy = 20
)

// Anchored is Of for an expression that is compiled as ^(?:text)$, and how deep its
// parentheses are within each other.
func Anchored(text string, most int) (cost, depth int) {
	c := costOf(text, most)
	cost = c.total()
	if c.wide > 0 {
		cost += wideCopy * min(cost-c.wide, onePass)
	}
	return cost, c.deepest
}

func costOf(text string, most int) coster {
	c := coster{text: text, most: most, groups: []group{{}}}
	for c.position < len(text) && c.total() <= most {
		c.next()
	}
	return c
}

// coster adds up the cost of a regular expression.
type coster struct {
	text     string
	most     int
	position int
	wide     int     // cost of wide classes; repetitions do not multiply it
	closed   int     // cost of the groups that are open, without the innermost one
	groups   []group // that are open, the innermost one last
	deepest  int     // the most groups that were open
}

// group is what is within a pair of parentheses, so far.
type group struct {
	size int // instructions
	atom int // of it, what a repetition that follows would repeat
}

func (c *coster) total() int { return c.wide + c.closed + c.inner().size }

func (c *coster) inner() *group { return &c.groups[len(c.groups)-1] }

// add is one more atom, with a size.
func (c *coster) add(size int) {
	inner := c.inner()
	inner.size += size
	inner.atom = size
}

func (c *coster) next() {
	switch b := c.text[c.position]; b {
	case '(':
		c.closed += c.inner().size
		c.groups = append(c.groups, group{size: 3})
		c.deepest = max(c.deepest, len(c.groups)-1)
		c.position++
	case ')':
		c.position++
		c.closeGroup()
	case '[':
		c.class()
	case '\\':
		c.escape()
	case '{':
		c.repeat()
	case '*', '+', '?', '|':
		inner := c.inner()
		inner.size += 2
		inner.atom += 2
		c.position++
	default:
		c.position++
		c.add(1)
	}
}

func (c *coster) closeGroup() {
	if len(c.groups) == 1 {
		c.add(1)
		return
	}
	size := c.inner().size
	c.groups = c.groups[:len(c.groups)-1]
	c.closed -= c.inner().size
	c.add(size)
}

// class is a class in brackets. Where it ends is found no later than by package regexp.
func (c *coster) class() {
	begin := c.position
	i := begin + 1
	if i < len(c.text) && c.text[i] == '^' {
		i++
	}
	for first := true; i < len(c.text) && (first || c.text[i] != ']'); i++ {
		if first = false; c.text[i] == '\\' {
			i++
		}
	}
	c.position = min(i+1, len(c.text))
	text := c.text[begin:c.position]
	if strings.HasPrefix(text, "[^") || strings.Contains(text, "[:^") || strings.ContainsFunc(text, func(r rune) bool { return r > '~' }) ||
		containsWideEscape(text) {
		c.wide += wideClass
	}
	c.add(1 + len(text)/8)
}

// containsWideEscape is whether a class names characters that are not of ASCII.
func containsWideEscape(text string) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] == '\\' {
			if i++; isWide(text[i]) || text[i] == 'x' || '0' <= text[i] && text[i] <= '7' {
				return true
			}
		}
	}
	return false
}

func isWide(escaped byte) bool { return strings.IndexByte("pPDSW", escaped) >= 0 }

func (c *coster) escape() {
	if c.position+1 == len(c.text) {
		c.position++
		return
	}
	b := c.text[c.position+1]
	c.position += 2
	switch {
	case b == 'Q': // up to \E all is literal
		literal := c.text[c.position:]
		if end := strings.Index(literal, `\E`); end >= 0 {
			literal = literal[:end]
			c.position += 2
		}
		c.position += len(literal)
		c.inner().size += len(literal)
		c.inner().atom = 1
		return
	case isWide(b):
		c.wide += wideClass
	}
	c.add(1)
}

// maxRepeat is the largest count that package regexp takes.
const maxRepeat = 1000

// repeat is {n}, {n,} or {n,m}, or a brace that stands for itself.
func (c *coster) repeat() {
	times, count, i := 1, 0, c.position+1
	for ; i < len(c.text); i++ {
		if b := c.text[i]; b == ',' {
			times, count = max(times, count), 0
		} else if b >= '0' && b <= '9' {
			count = min(10*count+int(b-'0'), maxRepeat)
		} else {
			break
		}
	}
	if i == len(c.text) || c.text[i] != '}' {
		c.position++
		c.add(1)
		return
	}
	times = max(times, count) + 1 // {n,} has a last one that repeats
	inner := c.inner()
	repeated := (inner.atom + 1) * times
	inner.size += repeated
	inner.atom = repeated
	c.position = i + 1
}
