// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package apirequest

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

const (
	// maxLabelText is how many bytes of a label may come from the text of an expression.
	maxLabelText = 8 << 10
	// maxLabelTextOfMany is the same where count_values makes a series of each value it finds.
	maxLabelTextOfMany = 256
	// maxLabelCopies is how often a label may hold the value of a stored one.
	maxLabelCopies = 64
	// valueText is how long a value is that count_values writes.
	valueText = 32
	// seriesBytes is what a series of count_values takes besides its labels, at each step.
	seriesBytes = 256
	// maxValuesWork bounds an expression with count_values: its words times its points in time. What it
	// counts may have another value at each point, and each of them is a series.
	maxValuesWork = 400_000
)

// Growth is an upper bound of what an expression makes of the labels of a series that has some
// bytes of them: Copies times these bytes, and Text. With Values it makes a series of each value
// at each step (count_values). It is zero when it adds nothing to them.
type Growth struct {
	Copies, Text int
	Values       bool
}

// Grown is what the labels of all series may be that the selectors of one query have found so
// far. The engine finds them one after the other.
type Grown struct {
	growth  Growth
	series  int // with Values, at each step
	longest int // bytes of the labels of one of them
}

type grownKey struct{}

// NewContext is a context in which a source finds what a query makes of labels.
func (g Growth) NewContext(ctx context.Context) context.Context {
	if g == (Growth{}) {
		return ctx
	}
	return context.WithValue(ctx, grownKey{}, &Grown{growth: g})
}

// GrownOf is that of the query in a context, nil when it adds nothing to labels.
func GrownOf(ctx context.Context) *Grown {
	g, _ := ctx.Value(grownKey{}).(*Grown)
	return g
}

// Add adds a series with size bytes of labels at some steps, and returns the bytes that all of them may
// become. Each counts as much as the longest: a label may come from another series (group_left).
func (g *Grown) Add(size, steps int) int {
	text := g.growth.Text
	if g.growth.Values {
		text += seriesBytes
	} else {
		steps = 1
	}
	g.series += steps
	g.longest = max(g.longest, size)
	return g.series * (g.growth.Copies*g.longest + text)
}

// growths are the labels that an expression has written, and how large they may be. Others are
// as they were stored.
type growths struct {
	labels map[string]Growth
	many   bool // count_values has made series
}

func (g *growths) of(label string) Growth {
	if grown, found := g.labels[label]; found {
		return grown
	}
	return Growth{Copies: 1}
}

// atLeast says that a label may be as large as grown, or as it was.
func (g *growths) atLeast(label string, grown Growth) {
	if g.labels == nil {
		g.labels = map[string]Growth{}
	}
	was := g.of(label)
	g.labels[label] = Growth{Copies: max(was.Copies, grown.Copies), Text: max(was.Text, grown.Text)}
}

func (g *growths) merge(other growths) {
	g.many = g.many || other.many
	for label, grown := range other.labels {
		g.atLeast(label, grown)
	}
}

// total is what all labels of a series may be together.
func (g *growths) total() Growth {
	if len(g.labels) == 0 {
		return Growth{}
	}
	total := Growth{Copies: 1, Values: g.many}
	for _, grown := range g.labels {
		total.Copies += grown.Copies
		total.Text += grown.Text
	}
	return total
}

func (g *growths) check(function string) error {
	most := maxLabelText
	if g.many {
		most = maxLabelTextOfMany
	}
	for label, grown := range g.labels {
		if grown.Text > most || grown.Copies > maxLabelCopies {
			return fmt.Errorf("%s: label %.64q could hold %d bytes of the expression's text and %d copies of stored labels: "+
				"%d bytes and %d copies are the most; join fewer labels, and do not repeat what was joined",
				function, label, grown.Text, grown.Copies, most, maxLabelCopies)
		}
	}
	return nil
}

// growthOf walks over an expression from its leaves, so that it ends where a label is first
// too large: each label_join of a label with itself doubles it.
func growthOf(node parser.Node) (growths, error) {
	var all growths
	for child := range parser.ChildrenIter(node) {
		of, err := growthOf(child)
		if err != nil {
			return all, err
		}
		all.merge(of)
	}
	name := ""
	switch node := node.(type) {
	case *parser.Call:
		name = node.Func.Name
		switch name {
		case "label_join":
			all.join(node.Args)
		case "label_replace":
			all.replace(node.Args)
		case "absent", "absent_over_time":
			all.absent(node)
		}
	case *parser.AggregateExpr:
		if node.Op == parser.COUNT_VALUES {
			name, all.many = "count_values", true
			all.atLeast(literal(node.Param), Growth{Text: valueText})
		}
	case *parser.BinaryExpr:
		if node.VectorMatching != nil {
			for _, label := range node.VectorMatching.Include { // group_left carries it over
				name = "group_left"
				all.atLeast(label, Growth{Copies: 1})
			}
		}
	}
	if len(all.labels) == 0 {
		return all, nil
	}
	return all, all.check(name)
}

// join is label_join(v, dst, separator, src…).
func (g *growths) join(args parser.Expressions) {
	if len(args) < 3 {
		return
	}
	var grown Growth
	for _, arg := range args[3:] {
		src := g.of(literal(arg))
		grown.Copies += src.Copies
		grown.Text += src.Text + len(literal(args[2]))
	}
	g.atLeast(literal(args[1]), grown)
}

// replace is label_replace(v, dst, replacement, src, regexp).
func (g *growths) replace(args parser.Expressions) {
	if len(args) != 5 {
		return
	}
	replacement, src := literal(args[2]), g.of(literal(args[3]))
	uses := strings.Count(replacement, "$") // each may be all of the source
	g.atLeast(literal(args[1]), Growth{Copies: uses * src.Copies, Text: len(replacement) + uses*src.Text})
}

// absent makes labels of the matchers of its argument.
func (g *growths) absent(call *parser.Call) {
	parser.Inspect(call, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			for _, m := range selector.LabelMatchers {
				g.atLeast(m.Name, Growth{Text: len(m.Value)})
			}
		}
		return nil
	})
}

// literal is a string that stands in an expression.
func literal(e parser.Expr) string {
	for {
		switch inner := e.(type) {
		case *parser.ParenExpr:
			e = inner.Expr
		case *parser.StringLiteral:
			return inner.Val
		default:
			return ""
		}
	}
}
