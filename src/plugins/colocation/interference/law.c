/* SPDX-License-Identifier: Apache-2.0 */
#include "interference/law.h"

#include <math.h>
#include <string.h>

#include "macro.h"

double law_deviation(const struct law_spec *spec)
{
	return spec->count == 0 ? 0 : sqrt(spec->squares / (double)spec->count);
}

double law_threshold(const struct law *law, const struct law_spec *spec)
{
	double usual = spec->mean + law->sigma * law_deviation(spec);

	return MAX(MAX(usual, law->least), law->least_ratio * spec->mean);
}

bool law_has_learned(const struct law *law, const struct law_spec *spec)
{
	return spec->count > law->learn;
}

/* Of rubik's cpi: an outlier would make itself usual. */
static bool is_past(const struct law *law, const struct law_spec *spec,
		    const struct law_point *point)
{
	if (point->use < law->use_least)
		return false;
	return spec->count < law->learn || point->value <= law_threshold(law, spec);
}

void law_fold(const struct law *law, struct law_spec *spec, const struct law_point *point)
{
	double before = point->value - spec->mean;

	if (!is_past(law, spec, point))
		return;
	spec->count++;
	spec->mean += before / (double)spec->count;
	spec->squares += before * (point->value - spec->mean);
}

static void drop_oldest(struct law_series *series)
{
	memmove(&series->points[0], &series->points[1],
		--series->count * sizeof(series->points[0]));
}

static bool is_within(const struct law *law, const struct law_point *point, uint64_t now_usec,
		      unsigned int periods)
{
	return point->time_usec <= now_usec &&
	       now_usec - point->time_usec < periods * law->period_usec;
}

void law_add(const struct law *law, struct law_series *series, struct law_spec *spec,
	     const struct law_point *point)
{
	if (!isfinite(point->value) || !isfinite(point->use) || point->value < 0)
		return;
	while (series->count > 0 &&
	       (series->count == LAW_POINTS ||
		!is_within(law, &series->points[0], point->time_usec, LAW_WINDOW))) {
		law_fold(law, spec, &series->points[0]);
		drop_oldest(series);
	}
	series->points[series->count++] = *point;
}

void law_add_use(struct law_series *series, const struct law_point *point)
{
	struct law_point *last = series->count ? &series->points[series->count - 1] : NULL;

	if (!isfinite(point->use) || point->use < 0)
		return;
	if (last && last->period == point->period) {
		last->looks = MAX(last->looks, 1u) + 1;
		last->use += (point->use - last->use) / last->looks;
		last->time_usec = point->time_usec;
		return;
	}
	if (series->count == LAW_POINTS)
		drop_oldest(series);
	series->points[series->count++] = *point;
}

unsigned int law_count_outside(const struct law *law, const struct law_series *series,
			       const struct law_spec *spec, uint64_t now_usec, uint64_t since_usec)
{
	double threshold = law_threshold(law, spec);
	unsigned int count = 0;

	for (unsigned int i = 0; i < series->count; i++) {
		const struct law_point *point = &series->points[i];

		count += is_within(law, point, now_usec, LAW_RECENT) &&
			 point->time_usec > since_usec && point->use >= law->use_least &&
			 point->value > threshold;
	}
	return count;
}

unsigned int law_count_since(const struct law *law, const struct law_series *series,
			     uint64_t since_usec)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < series->count; i++)
		count += series->points[i].time_usec > since_usec &&
			 series->points[i].use >= law->use_least;
	return count;
}

bool law_suffers(const struct law *law, const struct law_series *series,
		 const struct law_spec *spec, uint64_t now_usec, uint64_t since_usec)
{
	return law_has_learned(law, spec) &&
	       law_count_outside(law, series, spec, now_usec, since_usec) >= LAW_OUT;
}

/* What it used in that period; negative: nobody looked. */
static double use_of_period(const struct law_series *series, uint64_t period)
{
	for (unsigned int i = 0; i < series->count; i++)
		if (series->points[i].period == period)
			return series->points[i].use;
	return -1;
}

/* -1 to 1: how far from the threshold, on which side. */
static double badness(double value, double threshold)
{
	return value > threshold ? 1 - threshold / value : value / threshold - 1;
}

double law_correlation(const struct law *law, const struct law_series *victim,
		       const struct law_spec *spec, const struct law_series *suspect,
		       uint64_t now_usec)
{
	double threshold = law_threshold(law, spec), sum = 0, total = 0;

	if (!(threshold > 0))
		return 0;
	for (unsigned int i = 0; i < victim->count; i++) {
		const struct law_point *point = &victim->points[i];
		double use = use_of_period(suspect, point->period);

		if (use < 0 || !is_within(law, point, now_usec, LAW_WINDOW))
			continue;
		total += use;
		sum += use * badness(point->value, threshold);
	}
	return total > 0 ? sum / total : 0;
}

double law_recent_use(const struct law *law, const struct law_series *series, uint64_t now_usec)
{
	double sum = 0;
	unsigned int count = 0;

	for (unsigned int i = 0; i < series->count; i++) {
		if (!is_within(law, &series->points[i], now_usec, LAW_RECENT))
			continue;
		sum += series->points[i].use;
		count++;
	}
	return count > 0 ? sum / count : 0;
}

int law_blame(const struct law *law, const struct law_suspect *suspects, size_t count,
	      double use_least, bool *ret_correlates)
{
	int correlates = -1, largest = -1;

	for (size_t i = 0; i < count; i++) {
		const struct law_suspect *suspect = &suspects[i];

		if (suspect->use <= use_least)
			continue;
		if (suspect->correlation > law->correlation &&
		    (correlates < 0 || suspect->correlation > suspects[correlates].correlation))
			correlates = (int)i;
		if (largest < 0 || suspect->use > suspects[largest].use)
			largest = (int)i;
	}
	*ret_correlates = correlates >= 0;
	return correlates >= 0 ? correlates : largest;
}
