// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
)

// serveTruth is GET /truth.
func (s *Server) serveTruth(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Truth())
}

// health is GET /healthz.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.done:
		if s.failed != nil {
			platformError(w, http.StatusInternalServerError, s.failed.Error())
			return
		}
	default:
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
}

// serveTrouble is GET /trouble: the present trouble, by flag.
func (s *Server) serveTrouble(w http.ResponseWriter, _ *http.Request) {
	current := *s.trouble.now()
	values := map[string]string{}
	troubleFlags(&current).VisitAll(func(f *flag.Flag) { values[f.Name] = f.Value.String() })
	writeJSON(w, http.StatusOK, values)
}

// postTrouble is POST /trouble: a JSON object of flags to change. All of them are
// taken, or none.
func (s *Server) postTrouble(w http.ResponseWriter, r *http.Request) {
	var values map[string]any
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.UseNumber()
	if err := decoder.Decode(&values); err != nil {
		platformError(w, http.StatusBadRequest, fmt.Sprintf("body: %v; want a JSON object of flags and values", err))
		return
	}
	err := s.changeTrouble(func(t *Trouble) error { return setFlags(troubleFlags(t), values) })
	if err != nil {
		platformError(w, http.StatusBadRequest, err.Error())
		return
	}
	s.serveTrouble(w, r)
}

// postNow is trouble that happens once, at once.
func (s *Server) postNow(do func()) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		do()
		w.WriteHeader(http.StatusNoContent)
	}
}

func troubleFlags(t *Trouble) *flag.FlagSet {
	set := flag.NewFlagSet("trouble", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	t.RegisterFlags(set)
	return set
}

func setFlags(set *flag.FlagSet, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if set.Lookup(name) == nil {
			return fmt.Errorf("%s: no such trouble; GET /trouble lists them", name)
		}
		if err := set.Set(name, fmt.Sprint(values[name])); err != nil {
			return fmt.Errorf("%s: %v: %w", name, values[name], err)
		}
	}
	return nil
}
