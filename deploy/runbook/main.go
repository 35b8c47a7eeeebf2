// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Command runbook receives notifications of the alertmanager exporter's signed webhook, and
// runs one action: it silences alerts that are on its list. README.md describes it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const replayWindow = 10 * time.Minute // the library refuses timestamps that are 5 minutes off

var client = &http.Client{Timeout: 10 * time.Second}

func main() {
	verifier, err := webhooks.NewWebhook(os.Getenv("RUNBOOK_SECRET"))
	if err != nil {
		log.Fatal("RUNBOOK_SECRET: must be the secret of the webhook (whsec_…)")
	}
	var mutex sync.Mutex // one notification at a time
	seen := map[string]time.Time{}
	server := &http.Server{Addr: os.Getenv("RUNBOOK_LISTEN"), ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
		if err != nil || verifier.Verify(body, r.Header) != nil {
			http.Error(w, "not signed by the collector", http.StatusUnauthorized)
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		for id, at := range seen {
			if time.Since(at) > replayWindow {
				delete(seen, id)
			}
		}
		id := r.Header.Get(webhooks.HeaderWebhookID)
		if _, replayed := seen[id]; replayed {
			http.Error(w, "received before", http.StatusConflict)
			return
		}
		if err := run(r.Context(), body, strings.Split(os.Getenv("RUNBOOK_SILENCE"), ","), os.Getenv("RUNBOOK_ALERTMANAGER")); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable) // the collector sends it again
			return
		}
		seen[id] = time.Now()
	})
	log.Fatal(server.ListenAndServe())
}

// run silences for 30 minutes each firing alert whose name is allowed.
func run(ctx context.Context, body []byte, allowed []string, alertmanager string) error {
	var notification struct {
		Alerts []struct {
			Status string            `json:"status"`
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	if err := json.Unmarshal(body, &notification); err != nil {
		return err
	}
	for _, alert := range notification.Alerts {
		if alert.Status != "firing" || !slices.Contains(allowed, alert.Labels["alertname"]) {
			continue
		}
		var matchers []map[string]any
		for name, value := range alert.Labels {
			matchers = append(matchers, map[string]any{"name": name, "value": value, "isRegex": false})
		}
		silence, err := json.Marshal(map[string]any{
			"matchers": matchers, "startsAt": time.Now(), "endsAt": time.Now().Add(30 * time.Minute), "createdBy": "runbook", "comment": "known, see the runbook",
		})
		if err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, alertmanager+"/api/v2/silences", bytes.NewReader(silence))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("silence: %s", response.Status)
		}
		log.Printf("Silenced %v for 30m", alert.Labels)
	}
	return nil
}
