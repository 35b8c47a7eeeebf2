// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package vocabulary lists words that are retired from this repository in favour of
// the terms of the Collector, Prometheus, Alertmanager, Kafka and RFC 6455. Its test
// checks the tree.
package vocabulary

import (
	"regexp"
	"strings"
)

// Term is a retired expression and its replacement.
type Term struct {
	Expression string // regular expression, without regard to case, of complete words
	Instead    string
}

// Retired are the expressions that the tree does not contain.
var Retired = []Term{
	{`tell|tells|told|teller`, "report, emit, state, distinguish"},
	{`hear|hears|heard`, "receive; lastActivity"},
	{`mend|mends|mended`, "repair, recover"},
	{`whole`, "complete, entire"},
	{`outbox|courier`, "batcher, sender"},
	{`glance|peace|stranger|goodbye|blindness`, "a term of the field"},
	{`lets? (?:it|them) fall`, "drops"},
	{`(?:is|are|was|were|be|been) had`, "is obtained, is available"},
	{`(?:stands?|stood|standing) still`, "blocks, is blocked"},
	{`lives? through|lived through`, "session events"},
	{`signs? of life`, "heartbeat"},
}

// Allowed are expressions with a retired word that are ordinary English.
var Allowed = []string{
	`whole (?:numbers?|hours?|minutes?|seconds?|days?)`, // integers
	`as a whole`,
	`tell (?:\w+ )?apart`,
	`json:"told`, // a key of the state of alerts
}

// Find returns the retired terms in a line.
func Find(line string) []Term {
	line = allowed.ReplaceAllString(line, "")
	var found []Term
	for i, expression := range retired {
		if expression.MatchString(line) {
			found = append(found, Retired[i])
		}
	}
	return found
}

var (
	allowed = compile(Allowed...)
	retired = func() []*regexp.Regexp {
		var all []*regexp.Regexp
		for _, term := range Retired {
			all = append(all, compile(term.Expression))
		}
		return all
	}()
)

func compile(expressions ...string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(expressions, "|") + `)\b`)
}
