/* A role's main, and nothing else: whether it links with the rooms that it may use (make probes). It is
 * never run. */
int ROLE_MAIN(const void *start);

int main(void)
{
	return ROLE_MAIN(0);
}
