// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

func (a *api) labelNames(r *http.Request) (result, error) {
	return a.names(r, func(ctx context.Context, q storage.Querier, hints *storage.LabelHints, matchers []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelNames(ctx, hints, matchers...)
	})
}

func (a *api) labelValues(r *http.Request) (result, error) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, "U__") {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return result{}, badData(fmt.Errorf("invalid label name: %q", name))
	}
	return a.names(r, func(ctx context.Context, q storage.Querier, hints *storage.LabelHints, matchers []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelValues(ctx, name, hints, matchers...)
	})
}

// lookup reads names or values of the series that some matchers select; of all without matchers.
type lookup func(context.Context, storage.Querier, *storage.LabelHints, []*labels.Matcher) ([]string, annotations.Annotations, error)

// names answers with the sorted names that any of the request's selectors find.
func (a *api) names(r *http.Request, find lookup) (result, error) {
	p := parameters{form: r.Form}
	start, end := p.between()
	limit, selectors := p.limit(0), p.selectors(a.Parser)
	if p.err != nil {
		return result{}, p.err
	}
	querier, err := a.Storage.Querier(start.UnixMilli(), end.UnixMilli())
	if err != nil {
		return result{}, failed(err)
	}
	defer querier.Close()
	if len(selectors) == 0 {
		selectors = [][]*labels.Matcher{nil}
	}
	distinct := map[string]bool{}
	var warnings annotations.Annotations
	for _, matchers := range selectors {
		found, warned, err := find(r.Context(), querier, &storage.LabelHints{Limit: beyond(limit)}, matchers)
		if err != nil {
			return result{}, failed(err)
		}
		warnings.Merge(warned)
		for _, name := range found {
			distinct[strings.Clone(name)] = true // the storage's memory is its own after Close
		}
	}
	names := slices.AppendSeq(make([]string, 0, len(distinct)), maps.Keys(distinct))
	slices.Sort(names)
	if limit > 0 && len(names) > limit {
		names = names[:limit]
		warnings = warnings.Add(errTruncated)
	}
	return result{data: names, warnings: warnings}, nil
}

// beyond is one more than a limit, to know whether there is more.
func beyond(limit int) int {
	if limit == 0 {
		return 0
	}
	return limit + 1
}

// checkEvery is after how many series a request looks whether somebody still waits for it.
const checkEvery = 128

func (a *api) series(r *http.Request) (result, error) {
	p := parameters{form: r.Form}
	start, end := p.between()
	limit, selectors := p.limit(0), p.selectors(a.Parser)
	if len(selectors) == 0 {
		return result{}, badData(errors.New("no match[] parameter provided"))
	}
	if p.err != nil {
		return result{}, p.err
	}
	querier, err := a.Storage.Querier(start.UnixMilli(), end.UnixMilli())
	if err != nil {
		return result{}, failed(err)
	}
	answer := result{release: func() { querier.Close() }}
	hints := &storage.SelectHints{
		Start: start.UnixMilli(), End: end.UnixMilli(), Limit: beyond(limit),
		Func: "series", // no function of that name: the storage reads no samples
	}
	sets := make([]storage.SeriesSet, len(selectors))
	for i, matchers := range selectors {
		sets[i] = querier.Select(r.Context(), len(selectors) > 1, hints, matchers...)
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	answer.warnings = set.Warnings()
	all := []labels.Labels{}
	for set.Next() {
		if limit > 0 && len(all) == limit {
			answer.warnings = answer.warnings.Add(errTruncated)
			break
		}
		if all = append(all, set.At().Labels()); len(all)%checkEvery == 0 && r.Context().Err() != nil {
			return answer, failed(r.Context().Err())
		}
	}
	if err := set.Err(); err != nil {
		return answer, failed(err)
	}
	answer.data = all
	return answer, nil
}

func (a *api) metadata(r *http.Request) (result, error) {
	p := parameters{form: r.Form}
	known := a.Storage.Families()
	limit := p.limit(len(known))
	if p.err != nil {
		return result{}, p.err
	}
	wanted := slices.Sorted(maps.Keys(known))
	if name := r.Form.Get("metric"); name != "" {
		wanted = slices.DeleteFunc([]string{name}, func(name string) bool { _, found := known[name]; return !found })
	}
	families := map[string][]metadata.Metadata{}
	for _, name := range wanted[:min(limit, len(wanted))] {
		families[name] = []metadata.Metadata{known[name]}
	}
	return result{data: families}, nil
}
