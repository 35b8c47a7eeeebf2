// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// routes are those of the APIs, of the truth and trouble, and of the sink.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, a := range s.apis {
		a.Routes(mux)
	}
	mux.HandleFunc("GET /truth", s.serveTruth)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /trouble", s.serveTrouble)
	mux.HandleFunc("POST /trouble", s.postTrouble)
	for path, trigger := range map[string]func(){
		"burst":          s.Burst,
		"campaign":       s.Campaign,
		"reset":          s.Reset,
		"socket-closing": s.AnnounceClosing,
		"close": func() {
			t := s.host.Trouble.Now()
			s.CloseSockets(t.CloseCode, t.CloseReason)
		},
	} {
		mux.HandleFunc("POST /trouble/"+path, postNow(trigger))
	}
	mux.HandleFunc("GET /sink", s.serveSink)
	mux.HandleFunc("POST /sink", s.postSink)
	mux.HandleFunc("POST /sink/{path...}", s.postSink)
	return mux
}

// dated writes the platform's clock into the header Date of each response.
func (s *Server) dated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t := s.host.Trouble.Now(); t.Skew != 0 && t.SkewRegion == "" {
			w.Header().Set("Date", time.Now().Add(t.Skew).UTC().Format(http.TimeFormat))
		}
		next.ServeHTTP(w, r)
	})
}

// serveTruth is GET /truth.
func (s *Server) serveTruth(w http.ResponseWriter, _ *http.Request) {
	api.WriteJSON(w, http.StatusOK, s.Truth())
}

// health is GET /healthz.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.done:
		if s.failed != nil {
			api.Error(w, http.StatusInternalServerError, s.failed.Error())
			return
		}
	default:
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"status": "ok"})
}

// serveTrouble is GET /trouble: the present trouble, by flag.
func (s *Server) serveTrouble(w http.ResponseWriter, _ *http.Request) {
	current := *s.host.Trouble.Now()
	values := map[string]string{}
	troubleFlags(&current).VisitAll(func(f *flag.Flag) { values[f.Name] = f.Value.String() })
	api.WriteJSON(w, http.StatusOK, values)
}

// postTrouble is POST /trouble: a JSON object of flags to change. All of them are
// taken, or none.
func (s *Server) postTrouble(w http.ResponseWriter, r *http.Request) {
	var values map[string]any
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.UseNumber()
	if err := decoder.Decode(&values); err != nil {
		api.Error(w, http.StatusBadRequest, fmt.Sprintf("body: %v; want a JSON object of flags and values", err))
		return
	}
	err := s.changeTrouble(func(t *fault.Trouble) error { return setFlags(troubleFlags(t), values) })
	if err != nil {
		api.Error(w, http.StatusBadRequest, err.Error())
		return
	}
	s.serveTrouble(w, r)
}

// postNow triggers a fault that happens once, at once.
func postNow(do func()) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		do()
		w.WriteHeader(http.StatusNoContent)
	}
}

func troubleFlags(t *fault.Trouble) *flag.FlagSet {
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
