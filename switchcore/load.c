#include "load.h"

void load_waited(struct load *load, uint64_t now_us, int64_t waited_us)
{
	if (waited_us < (int64_t)LOAD_TARGET_US || now_us - load->last_us > LOAD_INTERVAL_US)
		load->since_us = 0;
	if (waited_us >= (int64_t)LOAD_TARGET_US && load->since_us == 0)
		load->since_us = now_us;
	load->last_us = now_us;
}

bool load_is_too_high(const struct load *load, uint64_t now_us)
{
	return load->since_us != 0 && load->last_us - load->since_us >= LOAD_INTERVAL_US &&
	       now_us - load->last_us <= LOAD_INTERVAL_US;
}
