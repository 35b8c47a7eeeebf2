// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package apirequest

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/util/strutil"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/regexpcost"
)

// Syntax bounds the text of an expression. The parser, and what walks over its tree, take
// time and memory that grow faster than the text does, and nothing interrupts them. So a
// scan that is linear in the text comes before.
type Syntax struct {
	Depth   int // of brackets within each other
	Tokens  int // words, numbers and operators
	Strings int // in quotes; each label matcher has one
	Regexp  int // see regexpcost.Of; of all strings together
}

// scanner adds up what the expressions of one request have.
type scanner struct {
	limits                  Syntax
	tokens, strings, regexp int
	subqueries              bool // there is one, [1h:1m]
}

// scanExpression is an error when text has more than the limits allow. It does not say
// whether text is an expression: that is up to the parser.
func (s *scanner) scanExpression(text string) error {
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '#':
			i = skipTo(text, i, '\n')
		case c == '"' || c == '\'' || c == '`':
			end := endOfString(text, i)
			if err := s.scanString(text[i:end]); err != nil {
				return err
			}
			i = end
		case isWord(c):
			for i < len(text) && isWord(text[i]) {
				i++
			}
			s.tokens++
		default:
			switch c {
			case '(', '[', '{':
				depth++
				s.subqueries = s.subqueries || c == '[' && strings.IndexByte(text[i:skipTo(text, i, ']')], ':') >= 0
			case ')', ']', '}':
				depth--
			}
			i++
			s.tokens++
		}
		if depth > s.limits.Depth {
			return fmt.Errorf("brackets are more than %d deep; use fewer", s.limits.Depth)
		}
		if s.tokens > s.limits.Tokens {
			return fmt.Errorf("more than %d words and operators; divide the expression", s.limits.Tokens)
		}
	}
	return nil
}

// scanString counts a string in its quotes. Whether it is a regular expression is not
// known before the parser has run, and the parser compiles those it finds.
func (s *scanner) scanString(quoted string) error {
	if s.strings++; s.strings > s.limits.Strings {
		return fmt.Errorf("more than %d label matchers and strings; use fewer", s.limits.Strings)
	}
	text, err := strutil.Unquote(quoted)
	if err != nil {
		text = quoted // the parser refuses it
	}
	if s.regexp += regexpcost.Of(text, s.limits.Regexp); s.regexp > s.limits.Regexp {
		return fmt.Errorf("the regular expressions would compile to more than %d instructions: "+
			`use fewer alternatives, smaller repetitions {n}, fewer of \p{…}, \D, \S, \W and [^…]`, s.limits.Regexp)
	}
	return nil
}

// endOfString is behind the closing quote of the string that begins at i, or the end.
func endOfString(text string, i int) int {
	quote := text[i]
	if quote == '`' {
		return min(skipTo(text, i+1, quote)+1, len(text))
	}
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		}
	}
	return len(text)
}

// skipTo is where b is next, from i on, or the end.
func skipTo(text string, i int, b byte) int {
	if n := strings.IndexByte(text[i:], b); n >= 0 {
		return i + n
	}
	return len(text)
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == ':' || c == '.'
}
