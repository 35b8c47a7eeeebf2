// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/regexpcost"
)

// Bounds of the matchers of one request or silence, and of all silences together. Upstream
// compiles regular expressions without one, and those of all silences at start.
const (
	maxMatchers     = 32
	maxMatcherBytes = 8 << 10
	maxNesting      = 50
	maxRegexps      = 20_000  // instructions, see package regexpcost
	maxAllRegexps   = 200_000 // of all silences that are stored
)

var errAllRegexps = fmt.Errorf("the regular expressions of all silences would compile to more than %d instructions: "+
	"use fewer of them, or matchers without regular expressions", maxAllRegexps)

// budget adds up the matchers of one request or silence.
type budget struct{ matchers, bytes, regexps int }

// add counts a matcher whose regular expressions, most often one, are in the texts.
func (b *budget) add(bytes int, regexps ...string) error {
	b.matchers += max(1, len(regexps))
	b.bytes += bytes
	if b.matchers > maxMatchers {
		return fmt.Errorf("more than %d matchers; use fewer", maxMatchers)
	}
	if b.bytes > maxMatcherBytes {
		return fmt.Errorf("matchers of more than %d bytes; use shorter ones", maxMatcherBytes)
	}
	for _, text := range regexps {
		cost := 0
		for _, form := range unescaped(text) {
			one, depth := regexpcost.Anchored(form, maxRegexps)
			if depth > maxNesting {
				return fmt.Errorf("parentheses of a regular expression are more than %d deep; use fewer", maxNesting)
			}
			cost = max(cost, one)
		}
		if b.regexps += cost; b.regexps > maxRegexps {
			return fmt.Errorf("the regular expressions would compile to more than %d instructions: "+
				`use fewer alternatives, smaller repetitions {n}, fewer of \p{…}, \D, \S, \W and [^…]`, maxRegexps)
		}
	}
	return nil
}

// filter counts a matcher as text. Upstream has two parsers, one of which compiles what is
// behind a comma as well: whatever follows an operator is taken for a regular expression.
func (b *budget) filter(text string) error {
	var regexps []string
	for i := 1; i < len(text) && len(regexps) <= maxMatchers; i++ {
		if text[i] == '~' && (text[i-1] == '=' || text[i-1] == '!') {
			regexps = append(regexps, strings.TrimSpace(text[i+1:]))
		}
	}
	return b.add(len(text), regexps...)
}

// unescaped returns the expressions that a value may stand for: itself, and what either of
// upstream's parsers makes of it in quotes.
func unescaped(text string) []string {
	quoted, found := strings.CutPrefix(text, `"`)
	forms := []string{text}
	if strings.Contains(text, `\`) {
		forms = append(forms, strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(quoted))
	}
	if !found {
		return forms
	}
	var plain strings.Builder
	for rest := quoted; rest != ""; {
		r, _, tail, err := strconv.UnquoteChar(rest, '"')
		if err != nil {
			break // the end, or refused by the parser
		}
		plain.WriteRune(r)
		rest = tail
	}
	return append(forms, plain.String())
}

// query checks the parameters of a request that upstream compiles.
func (b *budget) query(r *http.Request) error {
	values := r.URL.Query()
	for _, name := range []string{"filter", "receiver_matchers"} {
		for _, text := range values[name] {
			if err := b.filter(text); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, text := range values["receiver"] {
		if err := b.add(len(text), text); err != nil {
			return fmt.Errorf("receiver: %w", err)
		}
	}
	return nil
}

// silence checks a silence before it is stored.
func (b *budget) silence(one *models.PostableSilence) error {
	for _, m := range one.Matchers {
		if m == nil {
			return errors.New("matchers: an element is null") // upstream would panic
		}
		if m.Name == nil || m.Value == nil {
			continue // upstream refuses it
		}
		var regexps []string
		if m.IsRegex != nil && *m.IsRegex {
			regexps = []string{*m.Value}
		}
		if err := b.add(len(*m.Name)+len(*m.Value), regexps...); err != nil {
			return fmt.Errorf("matchers: %w", err)
		}
	}
	return nil
}

// costOf is what the regular expressions of a stored silence cost.
func costOf(one *silencepb.Silence) (total int) {
	sets := append([]*silencepb.MatcherSet{{Matchers: one.GetMatchers()}}, one.GetMatcherSets()...)
	if len(one.GetMatcherSets()) > 0 {
		sets = sets[1:] // the first set is there twice, for older versions
	}
	for _, set := range append(sets, one.GetReceiverMatcherSets()...) {
		for _, m := range set.GetMatchers() {
			if total <= maxAllRegexps && (m.GetType() == silencepb.Matcher_REGEXP || m.GetType() == silencepb.Matcher_NOT_REGEXP) {
				cost, depth := regexpcost.Anchored(m.GetPattern(), maxAllRegexps)
				if depth > maxNesting {
					cost = maxAllRegexps + 1
				}
				total += cost
			}
		}
	}
	return total
}

// bounded refuses requests with matchers that would be too much to compile. No other request
// stores a silence while one is checked against those that are stored.
func bounded(stored func() ([]*silencepb.Silence, error), next http.Handler) http.Handler {
	var storing sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &budget{}
		err := b.query(r)
		if err == nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/alerts") {
			err = noNull(r)
		}
		if err == nil && r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/alerts") {
			if err = b.body(r); err == nil {
				storing.Lock()
				defer storing.Unlock()
				err = b.fits(stored)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// noNull is an error for alerts with one that is null, on which upstream would panic. It leaves the
// body to be read again; that is bounded by the server.
func noNull(r *http.Request) error {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	var all []*struct{}
	if err := json.NewDecoder(bytes.NewReader(content)).Decode(&all); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	if i := slices.Index(all, nil); i >= 0 {
		return fmt.Errorf("alerts: element %d is null", i)
	}
	return nil
}

// body checks the silence in a request, and leaves the body to be read again.
func (b *budget) body(r *http.Request) error {
	const most = 2 * maxSilenceBytes // JSON is longer than what is stored
	content, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return err
	}
	if len(content) > most {
		return fmt.Errorf("a silence of more than %d bytes", most)
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	var one models.PostableSilence
	if err = json.NewDecoder(bytes.NewReader(content)).Decode(&one); err != nil {
		return fmt.Errorf("silence: %w", err)
	}
	return b.silence(&one)
}

// fits is an error where a silence, with those that are stored, would be too much.
func (b *budget) fits(stored func() ([]*silencepb.Silence, error)) error {
	if b.regexps == 0 {
		return nil
	}
	all, err := stored()
	if err != nil {
		return err
	}
	total := b.regexps
	for _, one := range all {
		if total += costOf(one); total > maxAllRegexps {
			return errAllRegexps
		}
	}
	return nil
}

// restored returns the entries of a snapshot whose regular expressions are within the bound,
// and the number of silences that are not. A later entry replaces one with the same key.
func restored(snapshot []byte) (kept []byte, aside int, err error) {
	entries := map[string]*silencepb.MeshSilence{}
	var order []string
	for reader := bytes.NewReader(snapshot); ; {
		entry := &silencepb.MeshSilence{}
		if err = protodelim.UnmarshalFrom(reader, entry); err != nil {
			break
		}
		id := entry.GetSilence().GetId()
		if _, known := entries[id]; !known {
			order = append(order, id)
		}
		entries[id] = entry
	}
	if !errors.Is(err, io.EOF) {
		return snapshot, 0, nil // upstream reads no more of it, compiles nothing, and says why
	}
	var out bytes.Buffer
	total := 0
	for _, id := range order {
		cost := costOf(entries[id].GetSilence())
		if total+cost > maxAllRegexps {
			aside++
			continue
		}
		total += cost
		if _, err = protodelim.MarshalTo(&out, entries[id]); err != nil {
			return nil, 0, err
		}
	}
	return out.Bytes(), aside, nil
}
