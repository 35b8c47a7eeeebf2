// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
)

// compare prints the alerts that one of two configurations alone would have emitted.
func compare(ctx context.Context, before, after *alertconnector.Config, input io.Reader, stdout, stderr io.Writer) error {
	out := bufio.NewWriter(stdout)
	defer out.Flush()
	old, changed := map[string]alertconnector.ReplayedAlert{}, map[string]alertconnector.ReplayedAlert{}
	replays := make([]*alertconnector.Replay, 2)
	for i, of := range []struct {
		config *alertconnector.Config
		alerts map[string]alertconnector.ReplayedAlert
	}{{before, old}, {after, changed}} {
		var err error
		if replays[i], err = alertconnector.NewReplay(of.config, func(a alertconnector.ReplayedAlert) { of.alerts[identity(&a)] = a }); err != nil {
			return err
		}
	}
	number, bad, err := feed(ctx, input, stderr, replays...)
	type difference struct {
		sign  string
		key   string
		alert alertconnector.ReplayedAlert
	}
	var all []difference
	same := 0
	for key, a := range old {
		if _, both := changed[key]; both {
			same++
			continue
		}
		all = append(all, difference{"-", key, a})
	}
	for key, a := range changed {
		if _, both := old[key]; !both {
			all = append(all, difference{"+", key, a})
		}
	}
	slices.SortFunc(all, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.alert.End, b.alert.End), cmp.Compare(a.key, b.key), cmp.Compare(a.sign, b.sign))
	})
	counts := map[string]int{}
	for i := range all {
		counts[all[i].sign]++
		fmt.Fprint(out, all[i].sign, " ")
		printAlert(out, &all[i].alert)
	}
	fmt.Fprintf(out, "\n%d lines, %d of them unreadable\n%d alerts are removed (-), %d are added (+), %d are the same\n", number, bad, counts["-"], counts["+"], same)
	return err
}

// identity is what makes an alert of two configurations the same: rule, severity, series,
// status and window.
func identity(a *alertconnector.ReplayedAlert) string {
	var series strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Series)) {
		fmt.Fprintf(&series, "%q=%q,", name, a.Series[name])
	}
	return fmt.Sprintf("%s %s {%s} %s %d", a.Rule, a.Severity, series.String(), a.Status, a.End)
}
