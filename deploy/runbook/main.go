// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Command runbook receives notifications of the alertmanager exporter's signed webhook, and
// runs one action: it silences alerts that are on its list. README.md describes it.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	secret := os.Getenv("RUNBOOK_SECRET")
	verifier, err := webhooks.NewWebhook(secret)
	if err != nil || secret == "" { // anybody can sign with an empty secret, which the library accepts
		log.Fatal("RUNBOOK_SECRET: must be the secret of the webhook (whsec_…)")
	}
	var mutex sync.Mutex             // one notification at a time
	handled := map[string]struct{}{} // their IDs, for longer than a signature is valid (5 minutes)
	handle := func(w http.ResponseWriter, r *http.Request) {
		var notification struct {
			Alerts []struct {
				Status string            `json:"status"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
		if err != nil || verifier.Verify(body, r.Header) != nil || json.Unmarshal(body, &notification) != nil {
			http.Error(w, "not signed by the collector", http.StatusUnauthorized)
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		id := r.Header.Get(webhooks.HeaderWebhookID)
		if _, replayed := handled[id]; replayed {
			http.Error(w, "received before", http.StatusConflict)
			return
		}
		for _, alert := range notification.Alerts {
			if alert.Status != "firing" || !slices.Contains(strings.Split(os.Getenv("RUNBOOK_SILENCE"), ","), alert.Labels["alertname"]) {
				continue
			}
			arguments := []string{"--alertmanager.url", os.Getenv("RUNBOOK_ALERTMANAGER"), "silence", "add", "--duration=30m", "--author=runbook", "--comment=known"}
			for name, value := range alert.Labels {
				arguments = append(arguments, name+"="+strconv.Quote(value))
			}
			if out, err := exec.CommandContext(r.Context(), "amtool", arguments...).CombinedOutput(); err != nil {
				http.Error(w, string(out), http.StatusServiceUnavailable) // the collector sends it again
				return
			}
		}
		handled[id] = struct{}{}
		time.AfterFunc(10*time.Minute, func() { mutex.Lock(); defer mutex.Unlock(); delete(handled, id) })
	}
	server := &http.Server{Addr: os.Getenv("RUNBOOK_LISTEN"), Handler: http.HandlerFunc(handle), ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second}
	log.Fatal(server.ListenAndServe())
}
