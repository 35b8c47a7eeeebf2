// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package apirequest

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// defaultStep is that of a subquery which names none.
const defaultStep = time.Minute

// CheckExpression bounds how far an expression reaches, the steps of subqueries, and the labels
// that it writes. The engine makes room for all steps before it looks at its limits, so
// [360d:1ms] would take all the memory there is; and it does not count bytes of labels. It
// parses the expression, which takes time: Check comes before. Growth is known after it.
func (q *Request) CheckExpression(limits Limits) error {
	if !strings.HasPrefix(q.Path, "/query") {
		return nil
	}
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(q.Values.Get("query"))
	if err != nil {
		return nil //nolint:nilerr // the source says it better, and may know more than we do
	}
	var asked time.Duration // at most limits.Range
	if q.Path == "/query_range" {
		asked = q.time("end").Sub(q.time("start"))
	}
	var found error
	parser.Inspect(expression, func(node parser.Node, around []parser.Node) error {
		if found == nil {
			found = checkNode(node, around, asked, limits)
		}
		return nil
	})
	if found != nil {
		return found
	}
	grown, err := growthOf(expression)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	if grown.many && q.Work > maxValuesWork {
		return fmt.Errorf("query: count_values: %d words times points in time, and %d are the most: "+
			"use a longer step, a shorter expression, and no subquery", q.Work, maxValuesWork)
	}
	q.Growth = grown.total()
	return nil
}

func checkNode(node parser.Node, around []parser.Node, asked time.Duration, limits Limits) error {
	switch node := node.(type) {
	case *parser.MatrixSelector:
		if node.Range > limits.Range {
			return fmt.Errorf("query: %s: must not reach further than %v", node, limits.Range)
		}
	case *parser.SubqueryExpr:
		if node.Range > limits.Range {
			return fmt.Errorf("query: %s: must not reach further than %v", node, limits.Range)
		}
		// A subquery within another has to cover the time of that one, too.
		span := (asked + node.Range).Seconds()
		for _, outer := range around {
			if outer, ok := outer.(*parser.SubqueryExpr); ok {
				span += outer.Range.Seconds()
			}
		}
		step := node.Step
		if step <= 0 {
			step = defaultStep
		}
		if steps := span / step.Seconds(); steps > float64(limits.Steps) {
			return fmt.Errorf("query: %s: would take %.0f steps, and %d are the most; use a longer one", node, steps, limits.Steps)
		}
	}
	return nil
}
